"""Keeps the index of one workspace up to date: with the disk, and with what is typed.

Changes are taken in when a burst or the typing pauses. Parses nothing on the event loop.
"""

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path

from spark_lsp.errors import SparkError
from spark_lsp.index.change_policy import matters, wants_refresh
from spark_lsp.index.scan.places import path_within
from spark_lsp.index.store import Index
from spark_lsp.server.changes import Changes
from spark_lsp.server.editor_window import EditorWindow
from spark_lsp.server.prefix_progress import rebuild_cached_prefix
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.workspace import Workspace

MAX_EDITED_FILES = 8
"""More that change on disk at once are a branch switch; what is ignored does not count."""
REINDEX_DELAY_S = 0.3  # a pause in the typing; parsing one file takes a few milliseconds in a thread


class IndexUpdates:
    """The updates of one workspace's index; none happen where it has none. Belongs to the server's event loop."""

    def __init__(
        self,
        window: EditorWindow,
        workspace: Workspace,
        forget_edits: Callable[[], None],
        is_in_use: Callable[[], bool],
    ) -> None:
        """``forget_edits`` is called after a branch switch, when nothing follows from the last edits any more.

        ``is_in_use`` says whether the user works in this workspace.
        """
        self.is_refreshing = False
        self.indexed: tuple[int, int] = (0, 0)
        """Files done, and of how many."""
        self.problem: SparkError | None = None
        """Why the last refresh failed."""
        self._window = window
        self._workspace = workspace
        self._forget_edits = forget_edits
        self._is_in_use = is_in_use
        self._is_wanted_again = False
        self._is_closed = False
        self._changes = Changes(self._take_changes)
        self._typed: dict[str, asyncio.TimerHandle] = {}
        """Documents whose text is taken in when the typing pauses, by path."""

    def edited(self, path: str) -> None:
        """Notice that an open document changed or was closed; ``path`` is relative to the workspace."""
        if handle := self._typed.pop(path, None):
            handle.cancel()
        loop = asyncio.get_running_loop()
        self._typed[path] = loop.call_later(
            REINDEX_DELAY_S, lambda: self._window.tasks.spawn(self._take_document(path), "index one")
        )

    def files_changed(self, paths: Collection[Path]) -> None:
        """Notice changes on disk; what comes in one burst is looked at together."""
        inside = (path_within(self._workspace.root, path) for path in paths)
        self._changes.add(path for path in inside if path and matters(path))

    async def refresh(self) -> None:
        """Bring the index up to date with the disk and the open documents, then choose the cached prefix again."""
        index = self._workspace.index
        if index is None or self._is_closed:
            return
        if self.is_refreshing:
            self._is_wanted_again = True  # what came too late for this round is seen by the next
            return
        self.is_refreshing = True
        try:
            async with self._window.refreshing:
                if not self._is_closed:
                    await self._refresh_once(index)
        except SparkError as error:
            self.problem = error
            self._window.client.show_error(error)
        finally:
            self.is_refreshing = False
            self._window.tell_status()
        if self._is_wanted_again:
            self._is_wanted_again = False
            await self.refresh()
        else:
            await self._take_documents()

    async def _take_documents(self) -> None:
        """Take in every open document after a refresh, which has read what is on disk."""
        if self._is_closed:
            return
        for uri in [snapshot.uri for snapshot in self._window.documents.all()]:
            current = self._window.documents.snapshot(uri)  # it may have changed while those before were taken in
            path = self._relative(current) if current else None
            if current and path:
                await self._workspace.update_index(path, current.text)
        await self.rebuild_cached_prefix()

    async def rebuild_cached_prefix(self) -> None:
        """Choose the cached prefix again, without what is open now, unless the user works in another folder."""
        if not self._is_closed and self._is_in_use():
            await rebuild_cached_prefix(self._window, self._workspace)

    def close(self) -> frozenset[str]:
        """Take nothing in any more; return the paths whose changes were still waiting for a pause."""
        self._is_closed = True
        for handle in self._typed.values():
            handle.cancel()
        return frozenset(self._typed) | self._changes.close()

    def take_over(self, paths: Collection[str]) -> None:
        """Take in the changes that waited when the workspace was opened again."""
        self._changes.add(path for path in paths if self._open_document(path) is None)
        for path in paths:
            if self._open_document(path) is not None:
                self.edited(path)

    async def _refresh_once(self, index: Index) -> None:
        loop = asyncio.get_running_loop()
        async with self._window.client.progress("Indexing") as report:

            def progress(done: int, total: int) -> None:
                self.indexed = (done, total)
                report(done, total)
                self._window.tell_status()

            def from_thread(done: int, total: int) -> None:
                loop.call_soon_threadsafe(progress, done, total)

            result = await self._workspace.refresh_index(from_thread)
        for sentence in result.problems if result else ():
            self._window.client.show(f"Spark: {sentence}")
        self.problem = None
        self._count_files(index)

    def _take_changes(self, paths: set[str]) -> None:
        elsewhere = paths.difference(self._window.documents.paths(self._workspace.root))
        self._window.tasks.spawn(self._take_files(elsewhere), "index changed")

    async def _take_files(self, paths: set[str]) -> None:
        """Look at a few files one by one; many at once (a branch switch), folders and rules are one refresh.

        The cached prefix stays: what is stale in it is shown afresh in the volatile part.
        """
        index = self._workspace.index
        if index is None or not paths:
            return
        kept = await asyncio.to_thread(index.that_count, paths)
        if len(kept) > MAX_EDITED_FILES:
            self._forget_edits()
        if await asyncio.to_thread(wants_refresh, index.view(), index.root, kept):
            await self.refresh()
            return
        for path in sorted(kept):
            await self._workspace.update_index(path, None)
        if kept and not self.is_refreshing:
            self._count_files(index)
            self._window.tell_status()

    async def _take_document(self, path: str) -> None:
        self._typed.pop(path, None)
        snapshot = self._open_document(path)
        await self._workspace.update_index(path, snapshot.text if snapshot else None)

    def _count_files(self, index: Index) -> None:
        files = len(index.view().files)
        self.indexed = (files, files)

    def _open_document(self, path: str) -> Snapshot | None:
        return self._window.documents.at(self._workspace.root, path)

    def _relative(self, snapshot: Snapshot) -> str | None:
        return path_within(self._workspace.root, snapshot.path)
