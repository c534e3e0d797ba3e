"""Real functions typed key by key into the whole pipeline with the real model: what a user would have seen.

``python -m scripts.typing_trace`` runs it; docs/evaluation.md says how to read what it prints.
"""
