"""Generates the next line while a suggestion is on the screen, for a user who accepts it and types on below.

Waits until the suggestion has been shown for a moment, runs with the lowest priority, and stops as soon as the user
types something else. Belongs to one event loop.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from spark_lsp.completion.answer import Suggestion
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.indent import uses_tabs
from spark_lsp.completion.shared_generation import SharedGeneration

STANDS_S = 0.2
"""A suggestion that is typed over sooner was not going to be accepted."""


@dataclass
class _Prepared:
    """A suggestion that may be accepted; ``handle`` until it has stood, then ``generation``."""

    after: str
    """The document up to the suggestion's end."""
    rest: str
    """The document after it, once it is accepted."""
    handle: asyncio.TimerHandle | None = None
    generation: SharedGeneration | None = None


class NextLinePrefetch:
    """One prepared generation for each document. ``begin`` starts a generation in the background."""

    def __init__(self, begin: Callable[[CursorContext], SharedGeneration], *, stands_s: float = STANDS_S) -> None:
        self._begin = begin
        self._stands_s = stands_s
        self._prepared: dict[str, _Prepared] = {}

    def expect(self, cursor: CursorContext, suggestion: Suggestion) -> None:
        """Prepare what follows when this suggestion is accepted."""
        uri, text, replaced = cursor.snapshot.uri, suggestion.text, suggestion.replaced
        prepared = _Prepared(cursor.prefix + text, cursor.suffix[replaced:])
        known = self._prepared.get(uri)
        if known and (known.after, known.rest) == (prepared.after, prepared.rest):
            return
        self.drop(uri)
        self._prepared[uri] = prepared

        def start() -> None:
            prepared.handle = None
            below = next_line(cursor, text, replaced)
            if below is not None:
                prepared.generation = self._begin(below)

        prepared.handle = asyncio.get_running_loop().call_later(self._stands_s, start)

    def take(self, cursor: CursorContext) -> SharedGeneration | None:
        """Return the prepared generation for a cursor that it fits; it is somebody's answer from now on."""
        prepared = self._prepared.get(cursor.snapshot.uri)
        if prepared is None or prepared.generation is None or not prepared.generation.continues(cursor):
            return None
        del self._prepared[cursor.snapshot.uri]
        prepared.generation.adopt()
        return prepared.generation

    def changed(self, cursor: CursorContext) -> None:
        """Notice a change: what is prepared stays only while the document is on its way there."""
        prepared = self._prepared.get(cursor.snapshot.uri)
        if prepared is None:
            return
        is_on_its_way = prepared.after.startswith(cursor.prefix) and cursor.suffix.endswith(prepared.rest)
        fits = prepared.generation is not None and prepared.generation.continues(cursor)
        if not (is_on_its_way or fits):
            self.drop(cursor.snapshot.uri)

    def drop(self, uri: str) -> None:
        """Give up what is prepared for a document."""
        prepared = self._prepared.pop(uri, None)
        if prepared and prepared.handle:
            prepared.handle.cancel()
        if prepared and prepared.generation:
            prepared.generation.stop()

    def close(self) -> list[asyncio.Task[None]]:
        """Give everything up; return the tasks that are on their way out."""
        tasks = [
            prepared.generation.task
            for prepared in self._prepared.values()
            if prepared.generation and prepared.generation.task
        ]
        for uri in list(self._prepared):
            self.drop(uri)
        return tasks


def accepted(cursor: CursorContext, text: str, replaced: int) -> CursorContext:
    """Return the document after a suggestion was accepted, with the cursor at its end."""
    snapshot = replace(cursor.snapshot, text=cursor.prefix + text + cursor.suffix[replaced:])
    return CursorContext(snapshot, cursor.offset + len(text))


def next_line(cursor: CursorContext, text: str, replaced: int) -> CursorContext | None:
    """Return the document after the suggestion and a new line, indented as editors do; None in the middle of a line."""
    after = accepted(cursor, text, replaced)
    if after.line_suffix.strip():
        return None
    line = after.line_prefix
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    if after.opens_block:
        indent += "\t" if uses_tabs(cursor) else " " * (cursor.indent_unit or 4)
    return accepted(after, cursor.line_end + indent, 0)
