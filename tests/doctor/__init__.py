"""The checks of ``spark-lsp doctor``, and the support file."""
