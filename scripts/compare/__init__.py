"""Spark LSP beside llama.cpp's own server: one typing trace, one model, one context size, both in one run.

``python -m scripts.compare`` runs it; docs/evaluation.md says how to read what it prints.
"""
