"""The report of a prompt as the ``context`` JSON of docs/protocol.md; ``html_page.py`` draws the same.

Shows what was sent and why. Never adds or drops anything.
"""

from typing import Any, Final

from spark_lsp.prompt.pack import Packed
from spark_lsp.prompt.segment import Segment

_KINDS: Final = {"similar": "file", "imports": "header"}
"""Kinds of segment that the contract's closed list has another word for; ``part`` names them as they are."""


def as_json(packed: Packed, *, with_prompt: bool) -> dict[str, Any]:
    """Return the contract's ``context`` object."""
    report: dict[str, Any] = {
        "budget": packed.budget_tokens,
        "tokens": packed.tokens,
        "window": {"prefix_tokens": packed.window.prefix_tokens, "suffix_tokens": packed.window.suffix_tokens},
        "segments": [_segment(segment) for segment in packed.segments],
    }
    if with_prompt:
        report["prompt"] = packed.text
    return report


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "path": segment.path,
        "start_line": segment.start_line,
        "end_line": segment.end_line,
        "tokens": segment.tokens,
        "kind": _KINDS.get(segment.kind, segment.kind),
        "part": segment.kind,
        "reason": segment.reason,
        "score": round(segment.score, 4),
        "stable": segment.stable,
        "cached": segment.cached,
    }
