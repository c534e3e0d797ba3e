"""Code actions: what applies is decided without a model, what is proposed is checked before it is shown.

Speaks snapshots, spans and edits. Never imports completion or LSP types, never calls a model to list.
"""
