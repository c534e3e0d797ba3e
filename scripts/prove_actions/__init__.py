"""Prove by execution that code actions keep a program's behaviour: ``python -m scripts.prove_actions``."""
