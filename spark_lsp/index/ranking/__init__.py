"""Rank the definitions and lines that matter at a cursor: by names, imports, history and distance."""
