"""The journal of a window's last edits, in bursts, from which the text before each of them can be rebuilt.

Memory only. What does not show an intent is left out: undo and redo, formatter runs, large pastes, branch switches.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from spark_lsp.text.syntax import common_length

MERGE_S: Final = 2.0
"""A pause in typing that begins another burst."""
MERGE_CHARACTERS: Final = 400
MAX_EDITS: Final = 16
MAX_LINES: Final = 40
MAX_STATES: Final = 64
"""Texts of a document that are recognised when an undo brings them back."""


@dataclass(frozen=True, slots=True)
class JournalEdit:
    """One burst: ``removed`` stood at ``start`` and ``inserted`` took its place; ``at_s`` is when it ended.

    ``is_layout`` marks a change of white space alone, as a formatter makes it.
    """

    start: int
    removed: str
    inserted: str
    at_s: float
    is_layout: bool = False

    def text_before(self, after: str) -> str:
        """Return the document before this burst, from the document right after it."""
        return after[: self.start] + self.removed + after[self.start + len(self.inserted) :]


@dataclass(slots=True)
class _DocumentEdits:
    """The edits of one document, oldest first: each begins with the text that the one before left."""

    text: str
    edits: deque[JournalEdit] = field(default_factory=lambda: deque(maxlen=MAX_EDITS))
    states: deque[int] = field(default_factory=lambda: deque(maxlen=MAX_STATES))
    """Hashes of earlier texts, to recognise an undo."""
    is_undone: bool = False


class Journal:
    """The edits of the open documents by URI. Belongs to the server's event loop; the time is passed in."""

    def __init__(self) -> None:
        self._documents: dict[str, _DocumentEdits] = {}
        self.last_uri = ""
        """The document that was edited last."""

    def changed(self, uri: str, before: str, after: str, now_s: float) -> None:
        """Take in a change of a document."""
        document = self._documents.get(uri)
        if document is None or document.text != before:
            document = self._documents[uri] = _DocumentEdits(before)
        if before == after:
            return
        self.last_uri = uri
        edit = difference(before, after, now_s)
        state = hash(after)
        document.is_undone = state in document.states
        document.states.append(hash(before))
        document.text = after
        if max(edit.removed.count("\n"), edit.inserted.count("\n")) >= MAX_LINES:
            document.edits.clear()
            return
        last = document.edits[-1] if document.edits else None
        merged = _merged(last, edit, before, after) if last is not None else None
        if merged is None:
            document.edits.append(edit)
            return
        document.edits.pop()
        if merged.removed != merged.inserted:
            document.edits.append(merged)

    def forget(self, uri: str) -> None:
        """Drop a document that was closed."""
        self._documents.pop(uri, None)

    def clear(self) -> None:
        """Drop everything: many files changed at once, or the user paused."""
        self._documents.clear()
        self.last_uri = ""

    def is_undone(self, uri: str) -> bool:
        """Whether the last change of a document brought back a text that it had before."""
        document = self._documents.get(uri)
        return document is not None and document.is_undone

    def edits(self, uri: str) -> tuple[JournalEdit, ...]:
        """Return the edits of a document, the newest first."""
        document = self._documents.get(uri)
        return tuple(reversed(document.edits)) if document is not None else ()

    def texts_before(self, uri: str, now: str) -> Iterator[tuple[JournalEdit, str]]:
        """Yield the edits of a document from the newest on, each with the text before it.

        Yields nothing for a text that the journal does not end with.
        """
        document = self._documents.get(uri)
        if document is None or document.text != now:
            return
        text = now
        for edit in reversed(document.edits):
            text = edit.text_before(text)
            yield edit, text


def difference(before: str, after: str, now_s: float) -> JournalEdit:
    """Return the smallest single edit between two texts."""
    start = common_length(before, after)
    rest = min(len(before), len(after)) - start
    end = common_length(before[::-1][:rest], after[::-1][:rest])
    removed, inserted = before[start : len(before) - end], after[start : len(after) - end]
    is_layout = bool(removed.strip()) and removed.split() == inserted.split()
    return JournalEdit(start, removed, inserted, now_s, is_layout)


def _merged(last: JournalEdit, edit: JournalEdit, between: str, after: str) -> JournalEdit | None:
    """Return two edits as one burst; None where they are apart in time or place."""
    if edit.at_s - last.at_s > MERGE_S or edit.is_layout or last.is_layout:
        return None
    last_end = last.start + len(last.inserted)
    start = min(last.start, edit.start)
    end = max(last_end, edit.start + len(edit.removed))
    removed = between[start : last.start] + last.removed + between[last_end:end]
    inserted = after[start : end + len(edit.inserted) - len(edit.removed)]
    if max(len(removed), len(inserted)) > MERGE_CHARACTERS:
        return None
    return JournalEdit(start, removed, inserted, edit.at_s)
