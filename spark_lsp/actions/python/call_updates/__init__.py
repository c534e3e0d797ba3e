"""``update.references`` for Python: compare a function's signatures and adapt its calls without a model.

Never changes a call that may refer to another function.
"""
