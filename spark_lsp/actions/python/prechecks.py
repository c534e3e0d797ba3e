"""Find out while actions are listed whether one would be refused. Reads only the top-level statement. Pure.

Parsing a whole document takes too long for a list. This module checks only whether the top-level statement around the
place causes a refusal that no other part of the document can prevent.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from spark_lsp.actions.base import Target
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.text.syntax import parse, path_to

MAX_LINES: Final = 60
"""Lines; a longer statement would take too much of the list's time."""
_DEFINITIONS: Final = frozenset({"class_definition", "decorated_definition", "function_definition"})


def prechecked(target: Target, made_at: Callable[[Target], object]) -> Refusal | None:
    """Return why an action would be refused here; None if it would not, or if that is not certain."""
    inner = _inner(target)
    outcome = made_at(inner) if inner is not None else None
    return outcome if isinstance(outcome, Refusal) and outcome.is_local else None


def _inner(target: Target) -> Target | None:
    """Return the same place in a document that contains only the top-level statement around it."""
    syntax, text, span = target.syntax, target.snapshot.text, target.span
    if syntax is None:
        return None
    byte = syntax.bytes_map.to_bytes
    chosen = span.text(text)
    start = byte(span.start + len(chosen) - len(chosen.lstrip()))
    end = max(start, byte(span.end - (len(chosen) - len(chosen.rstrip()))))
    raw = syntax.tree.root_node.descendant_for_byte_range(start, end)
    path = path_to(syntax.tree.root_node, raw) if raw is not None else []
    raw = path[min(1, len(path) - 1)] if path else None  # the statement of the module
    if raw is None or raw.type not in _DEFINITIONS or raw.has_error:
        return None
    if raw.end_point.row - raw.start_point.row >= MAX_LINES:
        return None
    whole = syntax.wrap(raw).span
    first = text.rfind("\n", 0, whole.start) + 1
    if text[first : whole.start].strip():
        return None
    inner = f"{text[first : whole.end]}\n"
    shifted = Span(max(0, span.start - first), min(len(inner), max(0, span.end - first)))
    snapshot = Snapshot(target.snapshot.uri, Path("inner.py"), 0, "python", inner)
    return replace(target, snapshot=snapshot, span=shifted, syntax=parse(syntax.language, inner), baseline=None)
