"""Mechanics of the code actions for Python: what an edit needs is computed from ``ast``, what is unsafe is refused.

Works on one document that compiles. A refusal is a sentence that names what stands in the way; nothing is guessed.
"""
