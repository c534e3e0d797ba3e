"""Known models: list and describe them. Reads metadata only; never runs a model, never opens the network unasked.
"""
