"""Snapshots, spans, languages and syntax: pure values and questions over text.

Offsets are code points from the start of the text. This package never reads files, never knows LSP positions.
"""
