"""What a real model writes at many cursors of real code, and what the pipeline makes of it.

``python -m scripts.real_outputs`` gathers and judges; docs/evaluation.md says how to read what it prints.
"""
