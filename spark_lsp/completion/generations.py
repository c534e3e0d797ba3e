"""The generation of each document: begun, adopted by the next keys, stopped once it says something else.

Decides nothing about what is shown; that is the pipeline's. Belongs to one event loop.
"""

import asyncio

from spark_lsp.completion.cursor_context import Hole
from spark_lsp.completion.generation import Run
from spark_lsp.completion.next_line import Following
from spark_lsp.completion.postprocess.pipeline import Terms
from spark_lsp.completion.writer import Writer

CANCEL_GRACE_MS = 150.0
"""How long a cancelled generation waits for the next key's request to adopt it: clients cancel, then ask anew."""


class Runs:
    """One generation for each document, and in ``following`` what is prepared behind it."""

    def __init__(self, writer: Writer, following: Following) -> None:
        self._writer = writer
        self._following = following
        self._runs: dict[str, Run] = {}

    @property
    def busy(self) -> bool:
        """Whether a generation is running."""
        return any(not run.done for run in self._runs.values())

    def of(self, uri: str) -> Run | None:
        """Return a document's last generation."""
        return self._runs.get(uri)

    def begin(self, hole: Hole, terms: Terms, *, manual: bool) -> Run:
        """Begin to generate for a hole; what was written for its document before is stopped."""
        run = Run(hole, self._writer.settings_key(terms), terms, manual)
        self._replace(hole.snapshot.uri, run)
        return self._writer.begin(run)

    def fitting(self, hole: Hole, *, manual: bool) -> Run | None:
        """Return a generation that goes on and whose text so far is what was typed, or one that was prepared."""
        uri = hole.snapshot.uri
        run = self._runs.get(uri)
        if run and not run.done and run.continues(hole) and run.manual >= manual:
            return run
        prepared = None if manual else self._following.take(hole)
        if prepared:
            self._replace(uri, prepared)
        return prepared

    def changed(self, hole: Hole) -> None:
        """Notice a change: what no longer fits is stopped."""
        self._following.changed(hole)
        run = self._runs.get(hole.snapshot.uri)
        if run and not run.done and not run.may_fit(hole):
            run.stop()

    def dismissed(self, hole: Hole) -> None:
        """Notice that what stood at a hole is not wanted."""
        self._following.drop(hole.snapshot.uri)
        run = self._runs.get(hole.snapshot.uri)
        if run and not run.done and run.continues(hole):
            run.stop()

    def stop_after_grace(self, run: Run) -> None:
        """Stop a generation whose request was cancelled, unless the next one wants it."""

        def stop_unless_wanted() -> None:
            if not run.waiters:
                run.stop()

        asyncio.get_running_loop().call_later(CANCEL_GRACE_MS / 1000, stop_unless_wanted)

    def forget(self, uri: str) -> None:
        """Stop what belongs to a document that was closed."""
        self._following.drop(uri)
        run = self._runs.pop(uri, None)
        if run:
            run.stop()

    async def close(self) -> None:
        """Stop every generation and wait until they are gone."""
        tasks = [run.task for run in self._runs.values() if run.task] + self._following.close()
        for run in self._runs.values():
            run.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._runs.clear()

    def _replace(self, uri: str, run: Run) -> None:
        old = self._runs.get(uri)
        if old:
            old.stop()
        self._runs[uri] = run
