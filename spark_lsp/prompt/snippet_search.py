"""Candidates for the snippets at a cursor: searched once for each place, before they are needed if possible.

Ranking takes longer than a key may. So it is begun as soon as a request comes in, while that still waits whether the
user types on, and packing takes up what was begun. Belongs to one event loop.
"""

import asyncio
import re

from spark_lsp.prompt.snippets import Candidate, count_candidates
from spark_lsp.prompt.sources import PromptCursor, gather
from spark_lsp.prompt.token_counts import TokenCounter

_WORD = re.compile(r"\w+(?=\W)")  # a finished word; the one being typed changes with each key

PendingSnippets = asyncio.Task[list[Candidate]]


class SnippetFinder:
    """Finds candidates and keeps those of the last place."""

    def __init__(self, counter: TokenCounter) -> None:
        self._counter = counter
        self._place: object = None
        self._found: PendingSnippets | None = None

    def begin(self, cursor: PromptCursor) -> PendingSnippets:
        """Return the search for a cursor, begun or done; await it behind ``asyncio.shield``, others may too."""
        place = _place(cursor)
        if self._found is None or place != self._place or _has_failed(self._found):
            self._place, self._found = place, asyncio.create_task(self._find(cursor), name="find snippets")
            self._found.add_done_callback(_has_failed)  # whoever awaits it gets the error; nobody else needs it
        return self._found

    async def _find(self, cursor: PromptCursor) -> list[Candidate]:
        segments = await asyncio.to_thread(gather, cursor)
        return await count_candidates(segments, self._counter)


def _place(cursor: PromptCursor) -> object:
    """Return the key of a search; another key begins a new one.

    That is another line or a finished name that the workspace defines, not each key: a snippet that changes has to be
    read again.
    """
    lines, text = cursor.snapshot.lines, cursor.snapshot.text
    line = lines.line_of(cursor.offset)
    typed = _WORD.findall(text, lines.starts[line], cursor.offset)
    words = frozenset(word for word in typed if word in cursor.view.definitions)
    elsewhere = next((edit for edit in cursor.recent.edits() if edit.path != cursor.path), None)
    return cursor.snapshot.uri, line, words, len(cursor.view.files), elsewhere, cursor.definitions, cursor.history


def _has_failed(pending: PendingSnippets) -> bool:
    return pending.done() and (pending.cancelled() or pending.exception() is not None)
