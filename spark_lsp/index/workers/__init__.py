"""Parsing many files: reader, worker processes and the entries they return."""
