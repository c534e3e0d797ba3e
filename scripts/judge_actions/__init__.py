"""Code actions with a real model on real code, judged by tests, ruff, pyright and tsc."""
