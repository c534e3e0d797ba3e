"""Watch the disk for clients that report no changes: bursts of events become one set of paths.

Runs on a thread of its own and never touches the index; the caller hands the paths over. Where watching is not possible
it says so once and stays silent.
"""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from spark_lsp.index.path_burst import QUIET_S, PathBurst

GATHER_S = 0.1  # one look at many events costs less than many looks, and the kernel joins equal ones in a row


class ChangeSource(Protocol):
    """Tells which paths change below one root. Belongs to one thread, but for ``wake``."""

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for a change or for ``wake``; False when the time is over."""
        ...

    def read(self) -> set[str]:
        """Return the paths that have changed by now, relative to the root with ``/``.

        Raises:
            OSError: what has come cannot be watched.
        """
        ...

    def wake(self) -> None:
        """Let ``wait`` return; may be called on any thread, also when it is closed."""
        ...

    def close(self) -> None:
        """Watch nothing any more."""
        ...


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
        self._source: ChangeSource | None = None
        self._thread = threading.Thread(target=self._run, name="spark-watch", daemon=True)
        self._watching = threading.Event()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to watch; returns at once, for a large tree takes a while to register."""
        self._thread.start()

    def wait_until_watching(self, timeout_s: float) -> bool:
        """Wait until changes are noticed; False when they are not by then."""
        return self._watching.wait(timeout_s)

    def stop(self) -> None:
        """Stop watching and wait for the thread; changes not yet reported are dropped."""
        self._stopped.set()
        if self._source is not None:
            self._source.wake()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            source = self._source = change_source(self._root)
            try:
                self._watching.set()
                self._report(source)
            finally:
                source.close()
        except OSError as error:
            self._problem(
                f"Changes on disk cannot be watched ({error.strerror or error}); files are read again when they are "
                "saved here. On Linux, raise fs.inotify.max_user_watches and fs.inotify.max_user_instances."
            )

    def _report(self, source: ChangeSource) -> None:
        """Wait until it is quiet after a change, then hand the paths over, until stopped."""
        burst = PathBurst(quiet_s=self._quiet_s)
        while not self._stopped.is_set():
            left_s = burst.due_s - time.monotonic() if burst.due_s is not None else None
            if left_s is not None and left_s <= 0:
                self._changed(burst.take())
            elif source.wait(left_s) and not self._stopped.wait(GATHER_S):
                burst.add(source.read(), time.monotonic())


def change_source(root: Path) -> ChangeSource:
    """Return what watches a root on this system: on Linux the folders that the crawl enters, elsewhere all of it.

    Raises:
        OSError: it cannot be watched.
    """
    if sys.platform == "linux":
        from spark_lsp.index.watched_tree import WatchedTree  # noqa: PLC0415 - Linux alone has inotify

        return WatchedTree(root)
    else:  # noqa: RET505 - mypy takes code behind the branch of its own system for unreachable
        from spark_lsp.index.watchdog_tree import WatchdogTree  # noqa: PLC0415 - Linux does not need its threads

        return WatchdogTree(root)
