"""Measure what the context of a prompt is worth to a real model, on code that is newer than the model.

``python -m scripts.context_quality`` runs it; docs/evaluation.md has the tables and their commands.
"""
