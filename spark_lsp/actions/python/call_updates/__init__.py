"""``update.references`` for Python: compare a function's signatures and adapt its calls, all by computation.

Nothing here asks a model or changes a call that could mean something else than is known.
"""
