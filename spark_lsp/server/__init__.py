"""The language server: the only room that imports pygls or lsprotocol.

Converts, calls a core room, converts back. Never blocks the event loop, never decides what a completion is.
"""
