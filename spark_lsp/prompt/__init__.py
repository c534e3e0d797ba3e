"""What the model is shown and why: snippet sources, packing under a token budget, the report of both.

Speaks snapshots and prompt segments. Never reads files (the index did) and never knows LSP.
"""
