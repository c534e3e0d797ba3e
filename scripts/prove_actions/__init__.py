"""Proof by execution that code actions keep what a program does: ``python -m scripts.prove_actions``."""
