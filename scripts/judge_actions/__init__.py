"""Run code actions with a real model on real code, and judge the edits by tests, ruff, pyright and tsc."""
