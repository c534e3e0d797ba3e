"""Mechanics for JavaScript and TypeScript: scopes, data flow and edits computed from the syntax tree.

No library for this can be called from Python, so the analysis is our own. Never asks a model for more than a name; what
cannot be done right is refused with the reason.
"""
