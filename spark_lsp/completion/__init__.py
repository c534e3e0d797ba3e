"""Inline completion; every refusal has a reason code.

Works with snapshots, offsets and spans. Never imports actions, LSP types or a concrete engine.
"""
