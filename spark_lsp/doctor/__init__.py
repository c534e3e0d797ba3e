"""What ``spark-lsp doctor`` checks, and the support file. Prints nothing and changes nothing."""
