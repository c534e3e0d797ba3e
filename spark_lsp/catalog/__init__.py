"""Known models: their names, where their files are, what is known of them before they run.

Reads metadata only; never runs a model, never opens the network unasked.
"""
