"""Collect what a real model writes at many cursors of real code, and what the pipeline shows of it.

``python -m scripts.real_outputs`` gathers and judges; docs/evaluation.md explains its output.
"""
