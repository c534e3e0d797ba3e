"""Which definitions and lines matter at a cursor: names, imports, history, distance."""
