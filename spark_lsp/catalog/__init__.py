"""Known models: their names, the sources of their files, and facts about them before they run.

Reads metadata only; never runs a model, never opens the network unasked.
"""
