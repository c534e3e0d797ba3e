"""Type real functions key by key into the whole pipeline with the real model, and record what a user would have seen.

``python -m scripts.typing_trace`` runs it; docs/evaluation.md explains its output.
"""
