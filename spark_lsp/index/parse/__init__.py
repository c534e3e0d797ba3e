"""What one file holds: symbols, words, imports, windows of lines. Never looks at a second file."""
