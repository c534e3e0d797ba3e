"""Symbols, references and imports of the workspace: one walker, one store, plain ranking.

Speaks paths, spans and frozen values. Never reads a file that the crawl's rules exclude, never prints, never asks a
model.
"""
