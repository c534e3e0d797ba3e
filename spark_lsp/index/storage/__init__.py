"""How an index is kept: the symbol cache on disk, tables, postings and the view that readers hold."""
