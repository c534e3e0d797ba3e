"""One folder of a window, and what is open for it: its workspace, its index's updates, its engine's starts.

Its next edits outlive a workspace that is opened again. A window without a folder has one too, whose root is None.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spark_lsp.config import Settings
from spark_lsp.edits.next_edits import NextEdits
from spark_lsp.errors import ModelNotPulled, SparkError
from spark_lsp.index.scan.places import path_within, real_path
from spark_lsp.index.watch import Watcher
from spark_lsp.server.editor_window import EditorWindow
from spark_lsp.server.engine_starts import EngineStarts
from spark_lsp.server.index_updates import IndexUpdates
from spark_lsp.server.pulling import pull_missing
from spark_lsp.server.status import Status, status_of
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.trace import TraceLog
from spark_lsp.workspace import OpenWorkspace, Workspace

OPEN_TIMEOUT_S = 10.0  # a client that never answers for its settings must not keep requests waiting


@dataclass(frozen=True, slots=True)
class ServedWorkspace:
    """An open workspace with the work that the server does for it."""

    workspace: Workspace
    index: IndexUpdates
    engine: EngineStarts

    def close(self) -> frozenset[str]:
        """Begin to stop its work; return the paths whose changes are not in the index yet."""
        self.workspace.stop_indexing()
        self.engine.close()
        return self.index.close()


@dataclass(frozen=True, slots=True)
class FolderOpening:
    """What the folders of a window share to be opened with."""

    log: TraceLog
    numbers: Iterator[int]
    """Of suggestions and next edits, so that each number names one of the whole window."""
    open_workspace: OpenWorkspace
    prepare: Callable[[Settings], Awaitable[None]]
    """Waited for before each opening; it may take time that opening must not take."""
    is_in_use: "Callable[[WorkspaceFolder], bool]"
    documents_of: "Callable[[WorkspaceFolder], Sequence[Snapshot]]"
    model_pulled: Callable[[], Awaitable[None]]
    """To be called when a model that was missing is there: other folders may wait for it too."""


class WorkspaceFolder:
    """A folder, opened with settings and opened again when they change. Belongs to the server's event loop."""

    def __init__(self, root: Path | None, window: EditorWindow, opening: FolderOpening, *, is_paused: bool) -> None:
        self.root = root
        """The folder as the editor names it; None for a window without one."""
        self.settings = Settings()
        self.next_edits = NextEdits(numbers=opening.numbers)
        """The edits that follow from the last ones in this folder."""
        self.served: ServedWorkspace | None = None
        """None before the first opening and when it failed."""
        self._window = window
        self._opening = opening
        self._problem: SparkError | None = None
        self._opened = asyncio.Event()
        self._lock = asyncio.Lock()
        self._is_closed = False
        self._watcher: Watcher | None = None
        self._is_paused = is_paused

    @property
    def workspace(self) -> Workspace | None:
        """The open workspace."""
        return self.served.workspace if self.served else None

    @property
    def problem(self) -> SparkError | None:
        """What keeps the workspace, its engine or its index from working."""
        if self._problem or self.served is None:
            return self._problem
        return self.served.engine.problem or self.served.index.problem

    @property
    def name(self) -> str:
        """The folder's own name; empty for a window without one."""
        return self.root.name if self.root else ""

    @property
    def depth(self) -> int:
        """How many folders its path has: of two that hold a document, the deeper one has it."""
        return len(real_path(self.root).parts) if self.root else 0

    @property
    def is_in_use(self) -> bool:
        """Whether the user works in this folder of the window."""
        return self._opening.is_in_use(self)

    def holds(self, path: Path | None) -> bool:
        """Whether a path is in the folder."""
        return path_within(self.root, path) is not None

    async def configure(self, settings: Settings) -> None:
        """Open the workspace with these settings, unless it is open with the same ones.

        Clients send their settings and ``initialized`` at once, so two of these calls may overlap.
        """
        async with self._lock:
            if self.served is None or settings != self.settings:
                await self._open(settings)

    async def open(self, settings: Settings) -> None:
        """Open the workspace again: the model or the files may be others now."""
        async with self._lock:
            await self._open(settings)

    async def wait_until_open(self) -> None:
        """Wait for the workspace to be opened: clients ask right after ``initialized``, before settings have come."""
        if not self._opened.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    await self._opened.wait()

    @property
    def is_watched(self) -> bool:
        """Whether a watcher of our own reports the changes on disk."""
        return self._watcher is not None

    def watch(self, watcher: Watcher) -> None:
        """Start a watcher, which is stopped with the folder."""
        if not self._is_closed:
            self._watcher = watcher
            watcher.start()

    def status(self) -> Status:
        """Describe the state of the moment."""
        served = self.served
        return status_of(
            self.workspace,
            self.problem,
            served.index.indexed if served else (0, 0),
            indexing=served is not None and served.index.is_refreshing,
            starting=served is not None and served.engine.is_starting,
        )

    def stop(self) -> None:
        """Begin to stop all work, for good; returns at once. Who waits for the folder to be opened goes on."""
        self._is_closed = True
        self._opened.set()
        if self.served:
            self.served.close()

    async def close(self) -> None:
        """Stop all work and leave the engine."""
        self.stop()
        if self._watcher is not None:
            await asyncio.to_thread(self._watcher.stop)
        workspace, self.served = self.workspace, None
        if workspace:
            await workspace.close()
            if workspace.index:
                await asyncio.to_thread(workspace.index.close)  # ends its workers now, not when they notice

    # -- documents and files -----------------------------------------------------------------------------------------

    def relative(self, snapshot: Snapshot) -> str | None:
        """Return a document's path within the folder, or None for one outside it."""
        return path_within(self.root, snapshot.path)

    def put(self, snapshot: Snapshot) -> None:
        """Let completions know the names of a document that the index does not have."""
        if snapshot.path is None and self.workspace:
            self.workspace.completer.open_texts.put(snapshot.uri, snapshot.text)

    def release(self, snapshot: Snapshot) -> None:
        """Forget a document that was closed or went to another folder; suggestions for it are dropped."""
        self.next_edits.closed(snapshot.uri)
        if self.workspace:
            self.workspace.completer.open_texts.drop(snapshot.uri)
            self.workspace.completer.forget(snapshot.uri)
            self.workspace.cursor_prefetch.prompts.forget(snapshot.uri)

    def opened(self, snapshot: Snapshot) -> None:
        """Notice that a document was opened: its text leaves the cached prefix, since it changes with each key."""
        if self.viewed(snapshot) and self.served:
            self._window.tasks.spawn(self.served.index.rebuild_cached_prefix(), "cached prefix")

    def viewed(self, snapshot: Snapshot) -> bool:
        """Remember that the user looks at a document; False for one outside the folder."""
        path = self.relative(snapshot)
        if path is None or self.workspace is None:
            return False
        self.workspace.recent.viewed(path, asyncio.get_running_loop().time())
        return True

    def edited(self, snapshot: Snapshot, span: Span | None) -> None:
        """Notice an edit: remembered at once, indexed when the typing pauses."""
        path = self.relative(snapshot)
        if path is None or self.served is None:
            return
        if span is not None:
            self.served.workspace.recent.edited(path, span, asyncio.get_running_loop().time())
        self.served.index.edited(path)

    def files_changed(self, paths: Collection[Path]) -> None:
        """Notice changes on disk."""
        if self.served:
            self.served.index.files_changed(paths)

    def engine_lost(self) -> None:
        """Notice that a request met no engine."""
        if self.served:
            self.served.engine.lost()

    def used(self) -> None:
        """Notice that the user begins to work here; what the engine holds of its cached prefix is to be seen again."""
        if self.served is None:
            return
        workspace = self.served.workspace
        if workspace.engine.model is None:
            self._window.tasks.spawn(self.served.engine.start(), "engine")
            return
        workspace.context.prefix.check_prefilled()
        self._window.tasks.spawn(self.served.index.rebuild_cached_prefix(), "cached prefix")

    def left(self) -> None:
        """Notice that the user works in another folder now."""
        if self.workspace:
            self.workspace.stop_warming()

    async def pause(self) -> None:
        """Stop completing until ``resume``, also once it is opened again; the engine may give its memory back."""
        self._is_paused = True
        self.next_edits.forget()
        if self.served:
            self.served.workspace.completer.pause()
            await self.served.workspace.stop_generating()
            self._window.tasks.spawn(self.served.engine.leave(), "leave the engine")

    def resume(self) -> None:
        """Complete again."""
        self._is_paused = False
        if self.served:
            self.served.workspace.completer.resume()
            if self.is_in_use:
                self.served.engine.lost()

    # -- opening -----------------------------------------------------------------------------------------------------

    async def _open(self, settings: Settings) -> None:
        self.settings = settings
        previous = self.served
        try:
            await self._opening.prepare(settings)
            if self._is_closed:
                return
            self._serve(self._workspace_with(settings))
        except SparkError as error:
            self.served, self._problem = None, error
            if isinstance(error, ModelNotPulled):
                self._window.tasks.spawn(self._pull(error), "pull")
            else:
                self._window.client.show_error(error)
        if previous:
            await self._leave(previous)
        if self.served:
            index = self.served.workspace.index
            if index and not index.is_whole:  # closing may have stopped its refresh
                self._window.tasks.spawn(self.served.index.refresh(), "index")
            if self.is_in_use:
                self._window.tasks.spawn(self.served.engine.start(), "engine")
        self._opened.set()
        self._window.tell_status()

    def _workspace_with(self, settings: Settings) -> Workspace:
        opening = self._opening
        return opening.open_workspace(self.root, settings, self.workspace, log=opening.log, numbers=opening.numbers)

    def _serve(self, workspace: Workspace) -> None:
        if self._is_paused:
            workspace.completer.pause()
        self.served = ServedWorkspace(
            workspace,
            IndexUpdates(self._window, workspace, self.next_edits.forget, lambda: self.is_in_use),
            EngineStarts(self._window, workspace, lambda: self.is_in_use),
        )
        self._problem = None
        for snapshot in self._opening.documents_of(self):
            self.put(snapshot)
        if workspace.problem:
            self._window.client.show_error(workspace.problem)

    async def _leave(self, previous: ServedWorkspace) -> None:
        """Stop the work for a workspace that another one has replaced; what it had not taken in goes to the other."""
        waiting = previous.close()
        await previous.workspace.close()
        index = previous.workspace.index
        if index and (self.workspace is None or self.workspace.index is not index):
            await asyncio.to_thread(index.close)
        if self.served:
            self.served.index.take_over(waiting)

    async def _pull(self, missing: ModelNotPulled) -> None:
        """Download the model of the settings if the user wants it, and open the workspace with it."""
        try:
            if await pull_missing(self._window.client, missing):
                await self._opening.model_pulled()
        except SparkError as error:
            self._problem = error
            self._window.client.show_error(error)
        self._window.tell_status()
