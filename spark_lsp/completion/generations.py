"""Keep the generation of each document: start it, hand it to the next keys, stop it once it no longer matches.

Never decides what is shown. Belongs to one event loop.
"""

import asyncio

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.next_line_prefetch import NextLinePrefetch
from spark_lsp.completion.postprocess.pipeline import PostprocessResult, Terms
from spark_lsp.completion.shared_generation import SharedGeneration
from spark_lsp.completion.writer import Writer

CANCEL_GRACE_MS = 150.0
"""Milliseconds in which the next key's request may adopt a cancelled generation: clients cancel, then request again."""


class Generations:
    """One generation for each document, and in ``following`` the one prepared for the text after it."""

    def __init__(self, writer: Writer, next_line_prefetch: NextLinePrefetch) -> None:
        self._writer = writer
        self._next_line_prefetch = next_line_prefetch
        self._generations: dict[str, SharedGeneration] = {}

    @property
    def busy(self) -> bool:
        """Whether a generation is running."""
        return any(not generation.done for generation in self._generations.values())

    def rest(self, cursor: CursorContext, terms: Terms) -> PostprocessResult | None:
        """Return what a document's last generation has beyond what was typed of it, on the same terms."""
        generation = self._generations.get(cursor.snapshot.uri)
        return generation.rest(cursor, terms) if generation else None

    def of(self, uri: str) -> SharedGeneration | None:
        """Return a document's last generation."""
        return self._generations.get(uri)

    def begin(self, cursor: CursorContext, terms: Terms, *, manual: bool) -> SharedGeneration:
        """Begin to generate for a cursor; what was written for its document before is stopped."""
        generation = SharedGeneration(cursor, terms, manual)
        self._replace(cursor.snapshot.uri, generation)
        return self._writer.begin(generation)

    def matching(self, cursor: CursorContext, *, manual: bool) -> SharedGeneration | None:
        """Return a running generation whose text so far matches the typed text, or a prepared one."""
        uri = cursor.snapshot.uri
        generation = self._generations.get(uri)
        if generation and not generation.done and generation.continues(cursor) and generation.manual >= manual:
            return generation
        prepared = None if manual else self._next_line_prefetch.take(cursor)
        if prepared:
            self._replace(uri, prepared)
        return prepared

    def changed(self, cursor: CursorContext) -> None:
        """Notice a change: what no longer fits is stopped."""
        self._next_line_prefetch.changed(cursor)
        generation = self._generations.get(cursor.snapshot.uri)
        if generation and not generation.done and not generation.may_fit(cursor):
            generation.stop()

    def dismissed(self, cursor: CursorContext) -> None:
        """Notice that what stood at a cursor is not wanted."""
        self._next_line_prefetch.drop(cursor.snapshot.uri)
        generation = self._generations.get(cursor.snapshot.uri)
        if generation and not generation.done and generation.continues(cursor):
            generation.stop()

    def stop_after_grace(self, generation: SharedGeneration) -> None:
        """Stop a generation whose request was cancelled, unless the next one wants it."""

        def stop_unless_wanted() -> None:
            if not generation.subscribers:
                generation.stop()

        asyncio.get_running_loop().call_later(CANCEL_GRACE_MS / 1000, stop_unless_wanted)

    def forget(self, uri: str) -> None:
        """Stop what belongs to a document that was closed."""
        self._next_line_prefetch.drop(uri)
        generation = self._generations.pop(uri, None)
        if generation:
            generation.stop()

    async def close(self) -> None:
        """Stop every generation and wait until they are gone."""
        tasks = [
            generation.task for generation in self._generations.values() if generation.task
        ] + self._next_line_prefetch.close()
        for generation in self._generations.values():
            generation.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._generations.clear()

    def _replace(self, uri: str, generation: SharedGeneration) -> None:
        old = self._generations.get(uri)
        if old:
            old.stop()
        self._generations[uri] = generation
