"""The endpoint for other programs."""
