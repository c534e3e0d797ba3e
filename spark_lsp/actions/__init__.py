"""Code actions: program analysis decides what applies, and every proposed edit is checked before it is shown.

Speaks snapshots, spans and edits. Never imports completion or LSP types, never calls a model to list.
"""
