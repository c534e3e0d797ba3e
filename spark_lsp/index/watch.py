"""Watch the disk for clients that report no changes: bursts of events become one set of paths.

Runs on threads of its own and never touches the index; the caller hands the paths over. Where watching is not possible
it says so once and stays silent.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
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

QUIET_S = 0.2  # a branch switch writes files for longer than this only with shorter pauses between them
MAX_S = 2.0  # a build that never stops writing must not delay changes forever

_EVENTS: list[type[FileSystemEvent]] = [
    *(FileCreatedEvent, FileModifiedEvent, FileClosedEvent, FileDeletedEvent, FileMovedEvent),
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
        self._events: queue.SimpleQueue[str | None] = queue.SimpleQueue()
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
        self._events.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        observer: BaseObserver = Observer()
        try:
            observer.schedule(
                _EventHandler(self._root, self._events), str(self._root), recursive=True, event_filter=_EVENTS
            )
            observer.start()
        except OSError as error:
            self._problem(
                f"Changes on disk cannot be watched ({error.strerror or error}); files are read again when they are "
                "saved here. On Linux, raise fs.inotify.max_user_watches."
            )
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
        """Gather paths until it is quiet, then hand them over, until stopped."""
        while (path := self._events.get()) is not None:
            paths = {path}
            deadline = time.monotonic() + MAX_S
            while (left := min(self._quiet_s, deadline - time.monotonic())) > 0:
                try:
                    more = self._events.get(timeout=left)
                except queue.Empty:
                    break
                if more is None:
                    return
                paths.add(more)
            self._changed(paths)


class _EventHandler(FileSystemEventHandler):
    """Turns events into relative paths and drops those in folders that the crawl never enters."""

    def __init__(self, root: Path, events: "queue.SimpleQueue[str | None]") -> None:
        self._root = root
        self._events = events

    def on_any_event(self, event: FileSystemEvent) -> None:
        for raw in (event.src_path, event.dest_path):
            path = raw if isinstance(raw, str) else bytes(raw).decode("utf-8", "surrogateescape")
            if path and (relative := _relative(self._root, path)):
                self._events.put(relative)


def _relative(root: Path, path: str) -> str:
    """Return a path relative to the root; empty when it is elsewhere or where the crawl never goes."""
    try:
        relative = Path(path).relative_to(root).as_posix()
    except ValueError:
        return ""
    return relative if relative != "." and matters(relative) else ""
