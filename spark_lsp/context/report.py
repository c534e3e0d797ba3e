"""The account of a prompt that a user can look at: the ``context`` JSON of the contract, and a page of it.

Shows what was sent and why. Never adds or drops anything.
"""

from html import escape
from typing import Any

from spark_lsp.context.pack import Packed
from spark_lsp.context.segment import Segment


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


def as_html(packed: Packed, title: str) -> str:
    """Return a self-contained page: a table of the segments, each with its text to unfold."""
    rows = "".join(_row(segment) for segment in packed.segments)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>"
        f"<p>{packed.tokens} of {packed.budget_tokens} tokens, in the order the model reads them.</p>"
        "<table><tr><th>what<th>lines<th>tokens<th>kind<th>why<th>score</tr>"
        f"{rows}</table><details><summary>The whole prompt</summary><pre>{escape(packed.text)}</pre></details></html>"
    )


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "path": segment.path,
        "start_line": segment.start_line,
        "end_line": segment.end_line,
        "tokens": segment.tokens,
        "kind": segment.kind,
        "reason": segment.reason,
        "score": round(segment.score, 4),
        "stable": segment.stable,
        "cached": segment.cached,
    }


def _row(segment: Segment) -> str:
    place = f"{segment.start_line} to {segment.end_line}" if segment.start_line else ""
    where = "stays" if segment.stable else "changes"
    return (
        f"<tr class={where}><td><details><summary>{escape(segment.path or segment.kind)}</summary>"
        f"<pre>{escape(segment.text)}</pre></details><td>{place}<td>{segment.tokens}<td>{segment.kind}"
        f"<td>{escape(segment.reason)}<td>{segment.score:.2f}</tr>"
    )


_STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}table{border-collapse:collapse;width:100%}"
    "td,th{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    "pre{white-space:pre-wrap;background:#f6f6f6;padding:.5rem}tr.stays{background:#f2f8f2}"
)
