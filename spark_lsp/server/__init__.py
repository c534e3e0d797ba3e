"""The language server: the only package that imports pygls or lsprotocol.

Converts, calls a core package, converts back. Never blocks the event loop, never decides what a completion is.
"""
