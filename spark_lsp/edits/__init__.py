"""Next edits: the change that follows from the one just made, computed from the syntax and the index.

Knows no protocol and asks no model; the server converts what comes out of here.
"""
