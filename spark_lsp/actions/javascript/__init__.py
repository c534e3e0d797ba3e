"""Refactorings of JavaScript and TypeScript: scopes, data flow and edits computed from the syntax tree.

No library for this can be called from Python, so the analysis is our own. A model chooses at most a name; an edit
that cannot be made correctly is refused with the reason.
"""
