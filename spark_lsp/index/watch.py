"""Watch the disk for clients that report no changes: bursts of events become one set of paths.

Runs on threads of its own and never touches the index; the caller hands the paths over. Where watching is not possible
it says so once and stays silent.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from spark_lsp.index.change_policy import matters
from spark_lsp.index.scan.ignore import folder_reason

QUIET_S = 0.2  # a branch switch writes files for longer than this only with shorter pauses between them
MAX_S = 2.0  # a build that never stops writing must not delay changes forever

_WRITTEN = FileClosedEvent if sys.platform == "linux" else FileModifiedEvent
"""Linux tells when a file that was written is closed; every single write would be an event too."""
_EVENTS: list[type[FileSystemEvent]] = [
    *(FileCreatedEvent, _WRITTEN, FileDeletedEvent, FileMovedEvent),
    *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
]


class Watcher:
    """Watches one folder from ``start`` to ``stop``. Both callbacks come from the watcher's own thread."""

    def __init__(
        self,
        root: Path,
        changed: Callable[[set[str]], None],
        problem: Callable[[str], None],
        *,
        quiet_s: float = QUIET_S,
    ) -> None:
        """Prepare; ``changed`` receives paths relative to the root with ``/``, ``problem`` at most one message."""
        self._root = root.resolve()
        self._changed = changed
        self._problem = problem
        self._quiet_s = quiet_s
        self._pending = _PendingPaths()
        self._thread = threading.Thread(target=self._run, name="spark-watch", daemon=True)
        self._watching = threading.Event()

    def start(self) -> None:
        """Begin to watch; returns at once, for a large tree takes a while to register."""
        self._thread.start()

    def wait_until_watching(self, timeout_s: float) -> bool:
        """Wait until changes are noticed; False when they are not by then."""
        return self._watching.wait(timeout_s)

    def stop(self) -> None:
        """Stop watching and wait for the threads; changes not yet reported are dropped."""
        self._pending.close()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        observer: BaseObserver | None = None
        try:
            observer = Observer()  # raises where the user has no inotify instance left
            handler = _EventHandler(self._root, self._pending)
            observer.schedule(handler, str(self._root), recursive=True, event_filter=_EVENTS)
            observer.start()
        except OSError as error:
            self._problem(
                f"Changes on disk cannot be watched ({error.strerror or error}); files are read again when they are "
                "saved here. On Linux, raise fs.inotify.max_user_watches and fs.inotify.max_user_instances."
            )
            if observer is not None:
                with contextlib.suppress(RuntimeError):
                    observer.stop()
            return
        self._watching.set()
        try:
            self._report()
        finally:
            observer.stop()
            observer.join()

    def _report(self) -> None:
        """Wait until it is quiet after a change, then hand the paths over, until stopped."""
        while self._pending.wait():
            deadline_s = time.monotonic() + MAX_S
            while (left_s := min(self._pending.last_s + self._quiet_s, deadline_s) - time.monotonic()) > 0:
                if self._pending.wait_for_close(left_s):
                    return
            self._changed(self._pending.take())


class _PendingPaths:
    """Changed paths that were not handed over yet. Only the first wakes the reader: events come by the hundred."""

    def __init__(self) -> None:
        self.last_s = 0.0
        """When the last one came, by the monotonic clock."""
        self._paths: set[str] = set()
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._closed = threading.Event()

    def add(self, path: str) -> None:
        """Take a path in."""
        with self._lock:
            self.last_s = time.monotonic()
            if not self._paths:
                self._some.set()
            self._paths.add(path)

    def wait(self) -> bool:
        """Wait for a path; False once closed."""
        self._some.wait()
        return not self._closed.is_set()

    def wait_for_close(self, timeout_s: float) -> bool:
        """Wait that long; True as soon as closed."""
        return self._closed.wait(timeout_s)

    def take(self) -> set[str]:
        """Return the paths so far."""
        with self._lock:
            paths, self._paths = self._paths, set()
            if not self._closed.is_set():
                self._some.clear()
        return paths

    def close(self) -> None:
        """Let the reader go."""
        with self._lock:
            self._closed.set()
            self._some.set()


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
