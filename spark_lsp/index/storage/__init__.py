"""Storage of an index: the symbol cache on disk, tables, postings and the view that readers share."""
