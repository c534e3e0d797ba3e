"""Inline completion: gate, reuse, pace, gather, pack, stream, trim, store; every refusal has a reason code.

Speaks snapshots, offsets and spans. Never imports actions, LSP types or a concrete engine.
"""
