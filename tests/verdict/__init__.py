"""Verdicts of tools on edits: the rule, the processes, and the real tools where they are installed."""
