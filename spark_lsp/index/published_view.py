"""The view of the index that all readers share; of two updates of one file, the one that began later wins.

Views are immutable and read without a lock. Never reads the disk and never parses.
"""

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from spark_lsp.index.storage.view import EMPTY_VIEW, FileEntry, IndexView, overlaid, rebuilt, with_changes


class PublishedView:
    """The current view of one workspace. Safe to use from any thread.

    An update takes a ticket when it begins: of two for one file the later one wins, whichever ends first.
    """

    def __init__(self, root: Path) -> None:
        self._lock = threading.Lock()  # guards the fields below, for moments only; never held while parsing
        self._view = replace(EMPTY_VIEW, root=root)
        self._open: set[str] = set()
        self._tickets = 0
        self._updated: dict[str, int] = {}

    @property
    def view(self) -> IndexView:
        """The view of the moment."""
        return self._view

    def take_ticket(self) -> int:
        """Return the number of an update that begins now."""
        with self._lock:
            self._tickets += 1
            return self._tickets

    def is_open(self, path: str) -> bool:
        """Whether an editor has the document open: its text wins over the file."""
        return path in self._open

    def update(self, path: str, entry: FileEntry | None, ticket: int, *, is_open: bool) -> bool:
        """Publish one document; False where a later update of it was quicker."""
        with self._lock:
            if self._updated.get(path, 0) > ticket:
                return False
            self._updated[path] = ticket
            (self._open.add if is_open else self._open.discard)(path)
            self._view = with_changes(self._view, {path: entry})
            return True

    def forget(self, path: str) -> None:
        """Drop a file that was deleted."""
        with self._lock:
            self._tickets += 1
            self._updated[path] = self._tickets
            self._open.discard(path)
            self._view = with_changes(self._view, {path: None})

    def publish(self, changes: Mapping[str, FileEntry | None], ticket: int) -> None:
        """Publish what a refresh found, but for documents that were updated after it began."""
        with self._lock:
            fresh = {path: entry for path, entry in changes.items() if self._updated.get(path, 0) < ticket}
            self._view = with_changes(self._view, fresh)

    def begin_with(self, view: IndexView) -> None:
        """Publish the tables of the last session under what is known by now."""
        with self._lock:
            self._view = with_changes(view, self._view.stale)

    def replace_tables(self, built: IndexView, ticket: int) -> None:
        """Publish tables that a refresh has built, under what was updated after it began."""
        with self._lock:
            later = {path for path, number in self._updated.items() if number > ticket} | self._open
            self._view = with_changes(built, {path: self._view.files.get(path) for path in later})

    def rebuild_tables(self) -> None:
        """Build tables of the view here, which takes time in which it may change."""
        built = rebuilt(self._view)
        with self._lock:
            self._view = overlaid(built, self._view)
