"""Refactorings for Python: edits are computed from ``ast``, and unsafe edits are refused.

Works only on a document that compiles. A refusal names the obstacle; nothing is guessed.
"""
