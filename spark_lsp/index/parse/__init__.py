"""The facts of one file: symbols, words, imports, windows of lines. Never reads a second file."""
