"""One workspace with its engine, index, prompts, completions and actions, as ``app`` builds it.

Starts and stops their background work. Never decides anything about completions.
"""

import asyncio
import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol

from spark_lsp.actions.base import ActionRunner
from spark_lsp.completion.completer import Completer
from spark_lsp.completion.cursor_prefetch import CursorPrefetch
from spark_lsp.config import Settings
from spark_lsp.engine.base import Engine
from spark_lsp.errors import SparkError
from spark_lsp.index.gc_freeze import freeze_after_rebuild, freeze_survivors
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.refresh import Progress
from spark_lsp.index.storage.report import IndexReport
from spark_lsp.index.store import Index
from spark_lsp.prompt.workspace_context import WorkspaceContext
from spark_lsp.trace import TraceLog


@dataclass
class Workspace:
    """One workspace: its engine, index, context, completions and actions. Belongs to one event loop."""

    root: Path | None
    engine: Engine
    index: Index | None
    """None for a window without a folder, or with one too large to be a workspace."""
    recent: Recent
    context: WorkspaceContext
    completer: Completer
    cursor_prefetch: CursorPrefetch
    actions: ActionRunner
    log: TraceLog
    settings: Settings
    problem: SparkError | None = None
    """Why there is no index although there is a folder."""
    model_path: Path | None = None
    """The file of the local model; None for a remote one."""
    model_reason: str = ""
    """Why this model serves where the settings name none; empty where they do."""
    chat_engine: Engine | None = None
    """The engine of the chat model; None where ``engine`` serves both."""
    engine_key: str = ""
    """Names the engine's process: workspaces with the same key share it."""
    _warming: asyncio.Task[None] | None = None
    _showing: asyncio.Task[None] | None = None
    _stop_indexing: Event = field(default_factory=Event)
    _reading_history: asyncio.Task[None] | None = None

    async def refresh_index(self, progress: Progress) -> IndexReport | None:
        """Bring the index up to date with the disk, in a thread; None without an index."""
        if self.index is None:
            return None
        before = self.index.view()
        if not before.tables.files.paths:
            freeze_survivors()  # the program itself, or a full round goes through it while the first view is made
        report = await asyncio.to_thread(self.index.refresh, progress, cancel=self._stop_indexing)
        freeze_after_rebuild(before, self.index.view())
        self._read_history_soon()
        return report

    async def update_index(self, path: str, text: str | None) -> None:
        """Take one document into the index, in a thread."""
        if self.index is not None:
            await asyncio.to_thread(self.index.update, path, text)
            self._read_history_soon()

    async def history_read(self) -> None:
        """Wait until it is read which files changed together; a refresh of the index begins that."""
        if self._reading_history:
            await asyncio.wait([self._reading_history])

    def _read_history_soon(self) -> None:
        """Look in the background whether HEAD has moved; a document taken in means that the typing pauses."""
        if self.index is not None and (self._reading_history is None or self._reading_history.done()):
            reading = asyncio.to_thread(self.index.history.refresh)
            self._reading_history = asyncio.create_task(reading, name="history")

    async def rebuild_cached_prefix(self, open_paths: Collection[str], warmed: Progress) -> asyncio.Task[None] | None:
        """Choose the cached prefix again and read it in the background; return that work when it was begun here.

        A reading that goes on takes the new cached prefix over. Without a model there is nothing to do yet.
        """
        with contextlib.suppress(SparkError):
            await self.context.prefix.rebuild(open_paths)
            if self._warming is None or self._warming.done():
                self._warming = asyncio.create_task(self.context.prefix.warm(self._report_warming(warmed)))
                self._warming.add_done_callback(self._warmed)
                return self._warming
        return None

    def _report_warming(self, warmed: Progress) -> Progress:
        """Report how much of the cached prefix is read; restart the cursor prefetch when prompts show more of it."""
        digest = self.context.digest

        def tell(done: int, of: int) -> None:
            nonlocal digest
            warmed(done, of)
            before, digest = digest, self.context.digest
            if digest != before:
                self.cursor_prefetch.restart()

        return tell

    def stop_warming(self) -> None:
        """Stop the prefill of the cached prefix; what is prefilled stays, and the next rebuild goes on."""
        if self._warming:
            self._warming.cancel()

    def stop_indexing(self) -> None:
        """Let a running refresh of the index end at its next file."""
        self._stop_indexing.set()

    async def stop_generating(self) -> None:
        """Stop everything that asks the engine for something."""
        begun = [task for task in (self._warming, self._showing) if task]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        await self.cursor_prefetch.close()
        await self.completer.close()

    def _warmed(self, warming: asyncio.Task[None]) -> None:
        if not warming.cancelled():
            self.cursor_prefetch.restart()
            if self._showing is None or self._showing.done():
                self._showing = asyncio.create_task(self._show_all(), name="show the cached prefix")

    async def _show_all(self) -> None:
        """Wait for a pause in typing while prompts show a part of the cached prefix only; then read ahead behind it."""
        before = self.context.digest
        await self.context.prefix.show_all()
        if self.context.digest != before:
            self.cursor_prefetch.restart()

    async def close(self) -> None:
        """Stop all background work and leave the engine."""
        self.stop_indexing()
        if self._reading_history:
            self._reading_history.cancel()
        self.completer.writer.close()
        await self.stop_generating()
        await self.engine.close()
        await self.leave_chat_engine()

    async def unload(self) -> None:
        """Give the memory of the models back; what was prefilled is gone with them."""
        await self.engine.unload()
        if self.chat_engine is not None:
            await self.chat_engine.unload()
        self.context.prefix.engine_lost()

    async def leave_chat_engine(self) -> None:
        """Leave the chat model's engine, where there is one; the next action that needs it finds it again."""
        if self.chat_engine is not None:
            await self.chat_engine.close()


class OpenWorkspace(Protocol):
    """How ``app`` builds a workspace. ``previous`` lends its index where root and files are the same."""

    def __call__(
        self,
        root: Path | None,
        settings: Settings,
        previous: Workspace | None = None,
        *,
        log: TraceLog | None = None,
        numbers: Iterator[int] | None = None,
    ) -> Workspace:
        """Build a workspace; nothing is started or read yet. ``numbers`` are those of the window's suggestions."""
        ...
