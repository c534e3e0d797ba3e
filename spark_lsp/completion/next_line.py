"""What would follow a suggestion once it is accepted, prepared while the suggestion is on the screen.

That is the next line: whoever accepts the end of a line goes on below it. Waits until the suggestion has stood for a
moment, asks behind everything else, and gives up as soon as the user types something else. Belongs to one event loop.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from spark_lsp.completion.cursor_context import Hole
from spark_lsp.completion.generation import Run
from spark_lsp.completion.postprocess.indent import uses_tabs

STANDS_S = 0.2
"""A suggestion that is typed over sooner was not going to be accepted."""


@dataclass
class _Prepared:
    """A suggestion that may be accepted; ``handle`` until it has stood, then ``run``."""

    after: str
    """The document up to the suggestion's end."""
    rest: str
    """The document behind it, once it is accepted."""
    handle: asyncio.TimerHandle | None = None
    run: Run | None = None


class Following:
    """One prepared run for each document. ``begin`` starts a run in the background."""

    def __init__(self, begin: Callable[[Hole], Run], *, stands_s: float = STANDS_S) -> None:
        self._begin = begin
        self._stands_s = stands_s
        self._prepared: dict[str, _Prepared] = {}

    def expect(self, hole: Hole, text: str, replaced: int) -> None:
        """Prepare what follows when this suggestion is accepted."""
        uri = hole.snapshot.uri
        prepared = _Prepared(hole.prefix + text, hole.suffix[replaced:])
        known = self._prepared.get(uri)
        if known and (known.after, known.rest) == (prepared.after, prepared.rest):
            return
        self.drop(uri)
        self._prepared[uri] = prepared

        def start() -> None:
            prepared.handle = None
            below = next_line(hole, text, replaced)
            if below is not None:
                prepared.run = self._begin(below)

        prepared.handle = asyncio.get_running_loop().call_later(self._stands_s, start)

    def take(self, hole: Hole) -> Run | None:
        """Return the prepared run for a hole that it fits; it is somebody's answer from now on."""
        prepared = self._prepared.get(hole.snapshot.uri)
        if prepared is None or prepared.run is None or not prepared.run.continues(hole):
            return None
        del self._prepared[hole.snapshot.uri]
        prepared.run.is_next = False
        return prepared.run

    def changed(self, hole: Hole) -> None:
        """Notice a change: what is prepared stays only while the document is on its way there."""
        prepared = self._prepared.get(hole.snapshot.uri)
        if prepared is None:
            return
        is_on_its_way = prepared.after.startswith(hole.prefix) and hole.suffix.endswith(prepared.rest)
        fits = prepared.run is not None and prepared.run.continues(hole)
        if not (is_on_its_way or fits):
            self.drop(hole.snapshot.uri)

    def drop(self, uri: str) -> None:
        """Give up what is prepared for a document."""
        prepared = self._prepared.pop(uri, None)
        if prepared and prepared.handle:
            prepared.handle.cancel()
        if prepared and prepared.run:
            prepared.run.stop()

    def close(self) -> list[asyncio.Task[None]]:
        """Give everything up; return the tasks that are on their way out."""
        tasks = [each.run.task for each in self._prepared.values() if each.run and each.run.task]
        for uri in list(self._prepared):
            self.drop(uri)
        return tasks


def accepted(hole: Hole, text: str, replaced: int) -> Hole:
    """Return the document after a suggestion was accepted, with the cursor behind it."""
    snapshot = replace(hole.snapshot, text=hole.prefix + text + hole.suffix[replaced:])
    return Hole(snapshot, hole.offset + len(text))


def next_line(hole: Hole, text: str, replaced: int) -> Hole | None:
    """Return the document after the suggestion and a new line, indented as editors do; None in the middle of a line."""
    after = accepted(hole, text, replaced)
    if after.line_suffix.strip():
        return None
    line = after.line_prefix
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    if after.opens_block:
        indent += "\t" if uses_tabs(hole) else " " * (hole.indent_unit or 4)
    return accepted(after, ("\r\n" if "\r\n" in hole.snapshot.text else "\n") + indent, 0)
