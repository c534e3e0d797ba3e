"""Checks for edits that a model wrote, and the imports that such an edit still needs.

Each module has one duty and is made of pure functions from texts to a sentence, which is empty when nothing is wrong.
"""
