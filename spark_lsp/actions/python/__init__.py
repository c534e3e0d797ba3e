"""Refactorings for Python: edits are computed from ``ast``, and unsafe ones are refused.

Works on one document that compiles. A refusal is a sentence that names what stands in the way; nothing is guessed.
"""
