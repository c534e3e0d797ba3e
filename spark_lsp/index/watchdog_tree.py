"""Watches all of a folder with watchdog, where the system has no watches for single folders."""

import contextlib
import os
import threading
from functools import lru_cache
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from spark_lsp.index.change_policy import matters
from spark_lsp.index.scan.ignore import folder_reason

_EVENTS: list[type[FileSystemEvent]] = [
    *(FileCreatedEvent, FileModifiedEvent, FileDeletedEvent, FileMovedEvent),
    *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
]


class WatchdogTree:
    """A ``ChangeSource`` with watchdog's threads behind it."""

    def __init__(self, root: Path) -> None:
        """Watch the root and everything below it.

        Raises:
            OSError: it cannot be watched.
        """
        self._pending = _PendingPaths()
        self._observer = Observer()
        try:
            handler = _EventHandler(root, self._pending)
            self._observer.schedule(handler, str(root), recursive=True, event_filter=_EVENTS)
            self._observer.start()
        except OSError:
            with contextlib.suppress(RuntimeError):
                self._observer.stop()
            raise

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for a change or for ``wake``; False when the time is over."""
        return self._pending.some.wait(timeout_s)

    def read(self) -> set[str]:
        """Return the paths that have changed by now."""
        return self._pending.take()

    def wake(self) -> None:
        """Let ``wait`` return."""
        self._pending.some.set()

    def close(self) -> None:
        """Watch nothing any more, and wait for watchdog's threads."""
        self._observer.stop()
        self._observer.join()


class _PendingPaths:
    """Changed paths that were not read yet. Only the first wakes the reader: events come by the hundred."""

    def __init__(self) -> None:
        self.some = threading.Event()
        self._paths: set[str] = set()
        self._lock = threading.Lock()

    def add(self, path: str) -> None:
        """Take a path in."""
        with self._lock:
            if not self._paths:
                self.some.set()
            self._paths.add(path)

    def take(self) -> set[str]:
        """Return the paths so far."""
        with self._lock:
            paths, self._paths = self._paths, set()
            self.some.clear()
        return paths


class _EventHandler(FileSystemEventHandler):
    """Turns events into relative paths and drops those in folders that the crawl never enters."""

    def __init__(self, root: Path, pending: _PendingPaths) -> None:
        self._beginning = str(root / "x")[:-1]
        self._pending = pending

    def on_any_event(self, event: FileSystemEvent) -> None:
        for raw in (event.src_path, event.dest_path):
            path = raw if isinstance(raw, str) else bytes(raw).decode("utf-8", "surrogateescape")
            relative = path.removeprefix(self._beginning).replace(os.sep, "/")
            if path.startswith(self._beginning) and relative and _is_entered(relative):
                self._pending.add(relative)


def _is_entered(path: str) -> bool:
    """Whether the walk goes to a path; the answer for its folder is remembered."""
    return _is_folder_entered(path.rpartition("/")[0]) and folder_reason(path) is None


@lru_cache(maxsize=4_096)
def _is_folder_entered(folder: str) -> bool:
    return not folder or matters(folder)
