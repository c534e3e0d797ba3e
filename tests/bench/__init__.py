"""The measurements of ``spark-lsp bench``."""
