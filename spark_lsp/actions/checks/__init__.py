"""Check edits that a model wrote, and add the imports that they need.

Each module has one duty: pure functions from texts to a sentence, which is empty if nothing is wrong.
"""
