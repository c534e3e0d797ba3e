"""Compare Spark LSP with llama.cpp's own server: one typing trace, one model, one context size, both in one run.

``python -m scripts.compare`` runs it; docs/evaluation.md explains its output.
"""
