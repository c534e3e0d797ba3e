"""Next edits: what follows from a change, and when nothing does."""
