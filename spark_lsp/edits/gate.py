"""Decides whether a next edit may be shown: an ordered table of named questions; the first refusal is the reason.

Pure but for the parse of the edited text, so it belongs on a worker thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.check import failure
from spark_lsp.edits.next_edit import NextEdit
from spark_lsp.text.edit import Edit
from spark_lsp.text.language import language_of_path
from spark_lsp.text.syntax_cache import SYNTAX_CACHE

QUIET_S: Final = 5.0
"""Seconds without another offer on a line after a rejection."""
MAX_DELETED_LINES: Final = 3
"""Of an edit that is not computed: a model that deletes more is more often wrong than right."""


@dataclass(frozen=True, slots=True)
class GateContext:
    """What the gate has to know besides the edit.

    ``text`` is the file as it is now, ``texts_before`` what it was before its last edits. ``rejected`` holds the
    titles that the user dismissed; ``quiet_lines`` are those on which a rejection is recent.
    """

    text: str
    texts_before: tuple[str, ...] = ()
    rejected: frozenset[str] = frozenset()
    quiet_lines: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Gate:
    """A named refusal."""

    name: str
    refuses: Callable[[NextEdit, GateContext], bool]


def _stale(edit: NextEdit, shown: GateContext) -> bool:
    return edit.text != shown.text


def _same(edit: NextEdit, _: GateContext) -> bool:
    return edit.old_text == edit.new_text


def _reversal(edit: NextEdit, shown: GateContext) -> bool:
    return edit.text_after in shown.texts_before


def _rejected(edit: NextEdit, shown: GateContext) -> bool:
    return edit.title in shown.rejected


def _quiet(edit: NextEdit, shown: GateContext) -> bool:
    return edit.text.count("\n", 0, edit.span.start) in shown.quiet_lines


def _deletes(edit: NextEdit, _: GateContext) -> bool:
    deleted = edit.old_text.count("\n") - edit.new_text.count("\n")
    return edit.certainty != "computed" and deleted > MAX_DELETED_LINES


def _syntax(edit: NextEdit, _: GateContext) -> bool:
    syntax = SYNTAX_CACHE.of(language_of_path(edit.path), edit.text, edit.path)
    return bool(failure(edit.text, syntax, [Edit(edit.span, edit.new_text)]))


GATES: Final = (
    Gate("stale", _stale),
    Gate("same", _same),
    Gate("reversal", _reversal),
    Gate("rejected", _rejected),
    Gate("quiet", _quiet),
    Gate("deletes", _deletes),
    Gate("syntax", _syntax),
)


def gate(edit: NextEdit, shown: GateContext) -> str:
    """Return the name of the first gate that refuses, or an empty string."""
    return next((gate.name for gate in GATES if gate.refuses(edit, shown)), "")
