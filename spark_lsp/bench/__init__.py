"""What ``spark-lsp bench`` measures: the engine, the index and prompts. Prints nothing."""
