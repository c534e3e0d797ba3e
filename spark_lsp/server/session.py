"""The state of one editor window: settings, workspace, background work, and what the user is told.

Handlers take a Snapshot before their first await and never read live documents afterwards.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from lsprotocol import types

from spark_lsp.config import Settings
from spark_lsp.edits.next_edits import NextEdits
from spark_lsp.engine.base import ModelInfo
from spark_lsp.errors import ConsentNeeded, ModelNotPulled, Reason, SparkError
from spark_lsp.index.change_policy import matters, wants_refresh
from spark_lsp.index.scan.places import path_within
from spark_lsp.index.watch import Watcher
from spark_lsp.server.baseline_texts import BaselineTexts
from spark_lsp.server.changes import Changes
from spark_lsp.server.client import Client, Report
from spark_lsp.server.editor_process import EditorProcess
from spark_lsp.server.model_offers import ModelChoice, ModelOffers, ModelOfferTimes
from spark_lsp.server.open_documents import OpenDocuments
from spark_lsp.server.pulling import pull_missing
from spark_lsp.server.status import Status, status_of
from spark_lsp.server.time_limit import TimeLimit
from spark_lsp.text.document import Snapshot
from spark_lsp.text.edit import Span
from spark_lsp.trace import Trace, TraceLog
from spark_lsp.workspace import OpenWorkspace, Workspace

OPEN_TIMEOUT_S = 10.0  # a client that never answers for its settings must not keep requests waiting
LONG_READ_TOKENS = 4096  # a shorter cached prefix is read within a second or two; progress would only flicker
ALLOW = "Allow"
BUSY_S = 0.2
LEAVE_S = 5.0  # for work that does not end by itself once the editor has gone
LIST_LIMIT_S = 2.0  # for a list of code actions: editors ask at each move of the cursor
REINDEX_DELAY_S = 0.3  # a pause in the typing; parsing one file takes a few milliseconds in a thread

_log = logging.getLogger("spark_lsp.server")


class Session:
    """One window. Belongs to the server's event loop."""

    def __init__(
        self,
        client: Client,
        open_workspace: OpenWorkspace,
        choice: ModelChoice | None = None,
        times: ModelOfferTimes | None = None,
    ) -> None:
        self.client = client
        self.encoding: types.PositionEncodingKind | str = types.PositionEncodingKind.Utf16
        self.settings = Settings()
        self.workspace: Workspace | None = None
        self.log = TraceLog()
        self.problem: SparkError | None = None
        """What keeps the engine or the workspace from working, as the status says it."""
        self.indexed: tuple[int, int] = (0, 0)
        self.indexing = False
        self.starting = False
        self._starts = 0
        self._index_again = False
        self._open_rooms = open_workspace
        self.documents = OpenDocuments()
        self.baselines = BaselineTexts()
        self.next_edits = NextEdits()
        self.listing = TimeLimit(LIST_LIMIT_S)
        self.model_offers = ModelOffers(self, choice, times or ModelOfferTimes())
        self._opened = asyncio.Event()
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._changes = Changes(self._take_changes)
        self._reindex: dict[str, asyncio.TimerHandle] = {}
        self._told: Status | None = None
        self._closing: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._editor: EditorProcess | None = None
        self.watcher: Watcher | None = None

    @property
    def root(self) -> Path | None:
        """The workspace's folder."""
        return self.documents.root

    def put(self, snapshot: Snapshot) -> None:
        """Take in a document's new version."""
        self.documents.put(snapshot)
        self._keep_open_text(snapshot)

    def drop(self, uri: str) -> Snapshot | None:
        """Forget a document that was closed."""
        if self.workspace:
            self.workspace.completer.open_texts.drop(uri)
        return self.documents.drop(uri)

    def _keep_open_text(self, snapshot: Snapshot) -> None:
        """Let completions know the names of a document that the index does not have."""
        if snapshot.path is None and self.workspace:
            self.workspace.completer.open_texts.put(snapshot.uri, snapshot.text)

    # -- life --------------------------------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run background work; a reference is kept, a failure is logged."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def configure(self, settings: Settings) -> None:
        """Open the workspace with these settings, unless it is open with the same ones.

        Clients send their settings and ``initialized`` at once, so two of these calls may overlap.
        """
        async with self._opening:
            if self.workspace is None or settings != self.settings:
                await self._open(settings)

    async def open(self, settings: Settings) -> None:
        """Open the workspace again: the model or the files may be others now."""
        async with self._opening:
            await self._open(settings)

    async def _open(self, settings: Settings) -> None:
        self.settings = settings
        previous = self.workspace
        try:
            await self.model_offers.prepare(settings)
            self.workspace = self._open_rooms(self.root, settings, previous, log=self.log)
            self.problem = None
            for snapshot in self.documents.all():
                self._keep_open_text(snapshot)
            if self.workspace.problem:
                self.client.show_error(self.workspace.problem)
        except ModelNotPulled as error:
            self.workspace, self.problem = None, error
            self.spawn(pull_missing(self, error), "pull")
        except SparkError as error:
            self.workspace, self.problem = None, error
            self.client.show_error(error)
        if previous:
            await previous.close()
            if previous.index and (self.workspace is None or self.workspace.index is not previous.index):
                await asyncio.to_thread(previous.index.close)
        if (
            self.workspace and self.workspace.index and not self.workspace.index.is_whole
        ):  # closing may have stopped its refresh
            self.spawn(self._index(), "index")
        self.spawn(self._start_engine(), "engine")
        self._opened.set()
        self.tell_status()

    async def wait_until_open(self) -> None:
        """Wait for the workspace to be opened: clients ask right after ``initialized``, before settings have come."""
        if not self._opened.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    await self._opened.wait()

    def close(self) -> None:
        """Begin to stop all work and to leave the engine; returns at once, so that ``shutdown`` is answered at once.

        A client may send ``exit`` right behind it. What is not done by then ends with the process: the engine sees the
        connection close.
        """
        if self._closing is None:
            if self.workspace:
                self.workspace.stop_indexing()
            self._closing = asyncio.create_task(self._close(), name="close")

    def watch_editor(self, process_id: int) -> None:
        """End with the editor's process, as the specification says, whoever holds its end of the pipe."""
        editor = EditorProcess(process_id, self._editor_gone)
        if editor.watch():
            self._editor = editor

    def _editor_gone(self) -> None:
        _log.warning("The editor has ended.")
        self._leaving = asyncio.create_task(self._leave(), name="leave")

    async def _leave(self) -> None:
        self.close()
        if self._closing:
            await asyncio.wait([self._closing], timeout=LEAVE_S)
        os._exit(1)  # a thread may still read the pipe, which somebody else holds open

    async def _close(self) -> None:
        if self._editor:
            self._editor.close()
        self._changes.close()
        self.listing.close()
        self.model_offers.close()
        for handle in self._reindex.values():
            handle.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.watcher:
            self.watcher.stop()
        if self.workspace:
            await self.workspace.close()
            if self.workspace.index:
                self.workspace.index.close()  # ends its workers now, not when they notice
            self.workspace = None

    async def reindex(self) -> None:
        """Bring the index up to date with the disk."""
        await self._index()

    async def restart_engine(self) -> None:
        """End the engine, whatever state it is in, and start a new one; a failure is shown."""
        workspace = self.workspace
        if workspace is None:
            return
        await workspace.stop_generating()
        await workspace.leave_chat_engine()
        workspace.context.engine_lost()
        self.client.forget_shown()
        if not workspace.settings.completion.enabled or workspace.completer.is_paused:
            await workspace.engine.close()  # what is switched off starts no engine; its crashes are forgiven
            return
        await self._run_start(workspace, workspace.engine.restart)

    async def leave_engine(self) -> None:
        """Leave the engine as soon as it has nothing to do for anyone, unless completions are resumed before."""
        while (workspace := self.workspace) is not None and workspace.completer.is_paused:
            if not (await workspace.engine.status()).busy:  # what was stopped is still ending, or a code action runs
                await workspace.engine.close()
                await workspace.leave_chat_engine()
                return
            await asyncio.sleep(BUSY_S)

    # -- changes -----------------------------------------------------------------------------------------------------

    def edited(self, snapshot: Snapshot, span: Span | None) -> None:
        """Notice an edit: remembered at once, indexed when the typing pauses."""
        path = self.documents.relative(snapshot)
        if path is None or self.workspace is None:
            return
        if span is not None:
            self.workspace.recent.edited(path, span, asyncio.get_running_loop().time())
        self._index_soon(path, snapshot.uri)

    def opened(self, snapshot: Snapshot) -> None:
        """Notice that a document was opened: its text leaves the cached prefix, since it changes with each key."""
        path = self.documents.relative(snapshot)
        if path is None or self.workspace is None:
            return
        self.workspace.recent.viewed(path, asyncio.get_running_loop().time())
        self.spawn(self._rebuild_cached_prefix(), "cached prefix")

    def files_changed(self, paths: list[Path]) -> None:
        """Notice changes on disk; what comes in one burst is looked at together."""
        inside = (path_within(self.root, path) for path in paths)
        self._changes.add(path for path in inside if path and matters(path))

    def _take_changes(self, paths: set[str]) -> None:
        self.spawn(self._index_changed(paths.difference(self.documents.paths())), "index changed")

    async def _index_changed(self, paths: set[str]) -> None:
        """Look at a few files one by one; many at once (a branch switch), folders and rules are one refresh."""
        if self.workspace is None or self.workspace.index is None or not paths:
            return
        index = self.workspace.index
        kept = await asyncio.to_thread(index.that_count, paths)
        if await asyncio.to_thread(wants_refresh, index.view(), index.root, kept):
            await self._index()
        elif kept:
            await self._index_files(sorted(kept))

    async def _index_files(self, paths: list[str]) -> None:
        """Read some files again. The cached prefix stays: what is stale in it is shown afresh in the volatile part."""
        if self.workspace is None or self.workspace.index is None:
            return
        for path in paths:
            await self.workspace.update_index(path, None)
        if not self.indexing:
            files = len(self.workspace.index.view().files)
            self.indexed = (files, files)
            self.tell_status()

    def _index_soon(self, path: str, uri: str) -> None:
        handle = self._reindex.pop(uri, None)
        if handle:
            handle.cancel()
        loop = asyncio.get_running_loop()
        self._reindex[uri] = loop.call_later(
            REINDEX_DELAY_S, lambda: self.spawn(self._index_document(path, uri), "index one")
        )

    async def _index_document(self, path: str, uri: str) -> None:
        self._reindex.pop(uri, None)
        snapshot = self.documents.snapshot(uri)
        if self.workspace:
            await self.workspace.update_index(path, snapshot.text if snapshot else None)

    # -- background work ---------------------------------------------------------------------------------------------

    def engine_lost(self) -> None:
        """Notice that a request met no engine: what it had read is gone, and it is started in the background."""
        if self.workspace:
            self.workspace.context.engine_lost()
            self.spawn(self._start_engine(), "engine")

    async def _start_engine(self) -> None:
        workspace = self.workspace
        if (
            workspace is None
            or not workspace.settings.completion.enabled
            or workspace.completer.is_paused
            or self.starting
        ):
            return
        await self._run_start(workspace, workspace.engine.start)

    async def _run_start(self, workspace: Workspace, start: Callable[[], Awaitable[ModelInfo]]) -> None:
        """Start the engine and tell what comes of it, unless a later start replaces this one."""
        self._starts += 1
        number = self._starts
        self.starting = True
        try:
            async with self.client.progress("Loading the model"):
                model = await start()
            for note in model.notes:
                self.client.log(note)
            self.problem = None
            self.tell_status()
            await self._rebuild_cached_prefix()
        except SparkError as error:
            if self.workspace is workspace and number == self._starts:  # else of an engine that was left meanwhile
                self._report_start(error)
        finally:
            if number == self._starts:
                self.starting = False
                self.tell_status()
        if self.workspace is not workspace:
            await self._start_engine()

    def _report_start(self, error: SparkError) -> None:
        self.problem = error
        if isinstance(error, ConsentNeeded):
            self.spawn(self._ask_consent(error), "consent")
        else:
            self.client.show_error(error)

    async def _ask_consent(self, error: ConsentNeeded) -> None:
        """Ask once in this session whether code may go to a remote host; nothing goes there without a yes."""
        if await self.client.ask(f"Spark: {error}", ALLOW, "Not now") == ALLOW:
            await asyncio.to_thread(error.grant)
            await self._start_engine()

    async def _index(self) -> None:
        workspace = self.workspace
        if workspace is None or workspace.index is None:
            return
        if self.indexing:
            self._index_again = True  # what came too late for this round is seen by the next
            return
        self.indexing = True
        loop = asyncio.get_running_loop()
        try:
            async with self.client.progress("Indexing") as report:

                def progress(done: int, total: int) -> None:
                    self.indexed = (done, total)
                    report(done, total)
                    self.tell_status()

                def from_thread(done: int, total: int) -> None:
                    loop.call_soon_threadsafe(progress, done, total)

                result = await workspace.refresh_index(from_thread)
            for sentence in result.problems if result else ():
                self.client.show(f"Spark: {sentence}")
            files = len(workspace.index.view().files)
            self.indexed = (files, files)
        except SparkError as error:
            self.problem = error
            self.client.show_error(error)
        finally:
            self.indexing = False
            self.tell_status()
        if self._index_again:
            self._index_again = False
            await self._index()
            return
        for uri in [snapshot.uri for snapshot in self.documents.all()]:
            current = self.documents.snapshot(uri)  # it may have changed while the ones before were taken in
            path = self.documents.relative(current) if current else None
            if current and path:
                await workspace.update_index(path, current.text)
        await self._rebuild_cached_prefix()

    async def _rebuild_cached_prefix(self) -> None:
        workspace = self.workspace
        if workspace is None or workspace.engine.model is None or workspace.completer.is_paused:
            return

        report: Report | None = None

        def warmed(done: int, total: int) -> None:
            if report is not None:
                report(done, total, f"{done} of {total} tokens")
            self.tell_status()

        reading = await workspace.rebuild_cached_prefix(self.documents.paths(), warmed)
        if reading is None or workspace.context.unread_tokens < LONG_READ_TOKENS:
            return
        async with self.client.progress("Reading the workspace") as progress:
            report = progress
            await asyncio.wait([reading])

    # -- what the user is told ---------------------------------------------------------------------------------------

    def note_refusal(self, name: str, uri: str) -> None:
        """Log a request that could not be served: its document is not open or too large, or there are no workspace."""
        if self.documents.is_oversized(uri):
            reason = Reason.gate("too_large")
        elif self.documents.snapshot(uri):
            reason = self.problem.reason if self.problem else Reason.ENGINE_STARTING
        else:
            reason = Reason.gate("not_open")
        self.log.add(Trace(name).finish(reason))

    def tell_status(self) -> None:
        """Send ``spark/status`` when it differs from what was sent last."""
        status = status_of(self.workspace, self.problem, self.indexed, indexing=self.indexing, starting=self.starting)
        if status != self._told:
            self._told = status
            self.client.notify("spark/status", status.as_json())

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("background work %s failed", task.get_name(), exc_info=error)
