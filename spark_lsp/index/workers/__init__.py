"""Parse many files: the reader, worker processes and the entries they return."""
