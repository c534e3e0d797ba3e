"""``update.references`` for Python: what changed in a function's signature, and its calls made to fit by computation.

Nothing here asks a model or changes a call that could mean something else than is known.
"""
