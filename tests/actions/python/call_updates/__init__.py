"""``update.references`` by computation."""
