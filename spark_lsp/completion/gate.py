"""Decide when not to request a completion: an ordered table of named, pure questions about the cursor and the settings.

The first gate that refuses gives the reason code ``gate.<name>``. A request made by hand passes all but the hard gates.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.rejection_backoff import RejectionStreak
from spark_lsp.config import CompletionSettings
from spark_lsp.errors import Reason
from spark_lsp.index.scan.secrets import is_secret_name

MAX_DOCUMENT_CHARACTERS = 2_000_000
MIN_CHARACTERS = 10
"""A document with less says nothing to go on from (Copilot's ghost text has the same floor)."""

WITHHELD = "withheld"
"""The gate of files that are not sent to a remote endpoint."""
GENERATED_MARK_CHARACTERS = 600
"""Where generators put their mark: the first few lines."""

_GENERATED = re.compile(r"@generated\b|\bgenerated\b.*\bdo not (?:edit|modify|change)\b", re.IGNORECASE)
_ONLY_CLOSERS = re.compile(r"""^\s*[)>}\]"'`]*\s*[:{;,]?\s*$""")
_FINISHED = re.compile(r"[);\]}]\s*$")


@dataclass(frozen=True, slots=True)
class EditState:
    """What the user has just done in the document."""

    just_accepted: bool = False
    """A suggestion of one line, at whose end the cursor stands."""
    several_cursors: bool = False
    streak: RejectionStreak = RejectionStreak()
    """The suggestions that were rejected in a row in this document."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A named refusal. ``hard`` gates hold even when the user asks by hand."""

    name: str
    refuses: Callable[[CursorContext, CompletionSettings, EditState], bool]
    hard: bool = False


def _too_large(cursor: CursorContext, _: CompletionSettings, __: EditState) -> bool:
    return len(cursor.snapshot.text) > MAX_DOCUMENT_CHARACTERS


def _binary(cursor: CursorContext, _: CompletionSettings, __: EditState) -> bool:
    return "\0" in cursor.snapshot.text[:100_000]


def _secret(cursor: CursorContext, _: CompletionSettings, __: EditState) -> bool:
    return cursor.snapshot.path is not None and is_secret_name(cursor.snapshot.path.name)


def _generated(cursor: CursorContext, _: CompletionSettings, __: EditState) -> bool:
    return _GENERATED.search(cursor.snapshot.text[:GENERATED_MARK_CHARACTERS]) is not None


def _too_little(cursor: CursorContext, _: CompletionSettings, __: EditState) -> bool:
    return len(cursor.snapshot.text.strip()) < MIN_CHARACTERS


def _mid_word(cursor: CursorContext, _: CompletionSettings, __: EditState) -> bool:
    return bool(cursor.line_suffix) and (cursor.line_suffix[0].isalnum() or cursor.line_suffix[0] == "_")


def _mid_line(cursor: CursorContext, _: CompletionSettings, __: EditState) -> bool:
    return not _ONLY_CLOSERS.match(cursor.line_suffix)


def _finished(cursor: CursorContext, _: CompletionSettings, __: EditState) -> bool:
    return not cursor.line_suffix.strip() and bool(_FINISHED.search(cursor.line_prefix)) and not cursor.opens_block


def _several_cursors(_: CursorContext, __: CompletionSettings, edit_state: EditState) -> bool:
    return edit_state.several_cursors


def _accepted(cursor: CursorContext, _: CompletionSettings, edit_state: EditState) -> bool:
    return edit_state.just_accepted and not cursor.line_suffix.strip()


def _comment(cursor: CursorContext, settings: CompletionSettings, __: EditState) -> bool:
    if settings.in_comments or cursor.tree is None:
        return False
    return cursor.tree.region_at(cursor.offset) != "code"


GATES: tuple[Gate, ...] = (
    Gate("too_large", _too_large, hard=True),
    Gate("binary", _binary, hard=True),
    Gate("secret", _secret, hard=True),
    Gate("generated", _generated),
    Gate("too_little", _too_little),
    Gate("mid_word", _mid_word),
    Gate("mid_line", _mid_line),
    Gate("several_cursors", _several_cursors),
    Gate("accepted", _accepted),
    Gate("finished", _finished),
    Gate("comment", _comment),
)


_NOTHING = EditState()


class Gates:
    """Whether a completion is wanted: the switches of the user, then the table."""

    def __init__(
        self,
        settings: CompletionSettings,
        is_excluded: Callable[[CursorContext], bool],
        is_withheld: Callable[[CursorContext], bool],
        *,
        is_paused: bool,
    ) -> None:
        self._settings = settings
        self._is_excluded = is_excluded
        self._is_withheld = is_withheld
        self._is_paused = is_paused

    @property
    def is_paused(self) -> bool:
        """Whether the user has paused completions."""
        return self._is_paused

    def pause(self) -> None:
        """Refuse everything until ``resume``."""
        self._is_paused = True

    def resume(self) -> None:
        """Go by the table again."""
        self._is_paused = False

    def refuses(self, cursor: CursorContext, edit_state: EditState, *, manual: bool) -> str:
        """Return the reason code of the first gate that refuses, or an empty string."""
        name = gate(cursor, self._settings, manual=manual, edit_state=edit_state)
        return Reason.gate(name) if name else ""

    def refuses_even_manual(self, cursor: CursorContext) -> str:
        """Return why no completion would be given even by hand, or an empty string."""
        settings = self._settings
        is_on = settings.enabled and settings.languages.get(cursor.snapshot.language, True)
        if self._is_paused:
            return Reason.PAUSED
        if not is_on or self._is_excluded(cursor):
            return Reason.DISABLED
        if self._is_withheld(cursor):
            return Reason.gate(WITHHELD)
        return self.refuses(cursor, _NOTHING, manual=True)


def gate(cursor: CursorContext, settings: CompletionSettings, *, manual: bool, edit_state: EditState = _NOTHING) -> str:
    """Return the name of the first gate that refuses, or an empty string."""
    for rule in GATES:
        if (rule.hard or not manual) and rule.refuses(cursor, settings, edit_state):
            return rule.name
    return ""
