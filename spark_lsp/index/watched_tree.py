"""Watches the folders of a workspace that the crawl enters, and no others: what git ignores costs nothing there.

Linux has a watch for each folder, not for a tree, so a folder that is left out is free of events and of watches.
"""

import errno
import math
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spark_lsp.index import inotify
from spark_lsp.index.inotify import Inotify, InotifyEvent
from spark_lsp.index.scan.ignore import (
    HOLDS_TRACKED_ONLY,
    IGNORE_FILES,
    RULE_NAMES,
    FolderPatterns,
    entered,
    folder_reason,
    root_scopes,
    verdict,
)

_KINDS: Final = (
    *(inotify.MODIFY, inotify.CLOSE_WRITE, inotify.CREATE, inotify.DELETE, inotify.MOVED_FROM, inotify.MOVED_TO),
    *(inotify.ONLY_FOLDERS, inotify.NO_LINKS),
)
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP})
_Scopes = tuple[FolderPatterns, ...]


class WatchedTree:
    """The watched folders of one root, a ``ChangeSource``. Belongs to one thread, but for ``wake``."""

    def __init__(self, root: Path) -> None:
        """Watch the root and what is below it.

        Raises:
            OSError: the root is gone, or the user has no inotify instance or no watch left.
        """
        self._root = root
        self._inotify = Inotify()
        self._closing = threading.Lock()
        self._is_closed = False
        self._woken = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._changes = select.poll()
        for handle in (self._inotify.handle, self._woken):
            self._changes.register(handle, select.POLLIN)
        self._folders: dict[int, str] = {}
        """By the number of the watch, relative with ``/``."""
        self._scopes: dict[str, _Scopes] = {}
        """The rules that hold in each folder."""
        try:
            self._inotify.add(str(root), sum(_KINDS))
            self._walk("", root_scopes(root))
        except BaseException:
            self.close()
            raise

    @property
    def folders(self) -> frozenset[str]:
        """The folders that are watched."""
        return frozenset(self._folders.values())

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for a change or for ``wake``; False when the time is over."""
        return bool(self._changes.poll(None if timeout_s is None else math.ceil(timeout_s * 1000)))

    def wake(self) -> None:
        """Let ``wait`` return, now and from now on."""
        with self._closing:
            if not self._is_closed:
                os.eventfd_write(self._woken, 1)

    def read(self) -> set[str]:
        """Return the paths that have changed by now, relative with ``/``; a folder stands for all that is in it.

        Where events were lost, the root's ignore file stands for everything, as it does for the index.

        Raises:
            OSError: a new folder cannot be watched, since no watch is left.
        """
        changed: set[str] = set()
        wants_walk = False
        for event in self._inotify.read():
            if event.kinds & inotify.OVERFLOW:
                changed.add(IGNORE_FILES[0])
                wants_walk = True
            elif event.kinds & inotify.ENDED:
                if event.watch in self._folders:
                    self._scopes.pop(self._folders.pop(event.watch), None)
            elif (path := self._path_of(event)) is not None:
                changed.add(path)
                wants_walk |= event.name.lower() in RULE_NAMES
                if event.kinds & inotify.IS_FOLDER:
                    self._follow(path, event.kinds)
        if wants_walk:
            self._walk_again()
        return changed

    def close(self) -> None:
        """Watch nothing any more."""
        with self._closing:  # the numbers of closed files are given to others at once
            self._is_closed = True
            self._inotify.close()
            os.close(self._woken)

    def _path_of(self, event: InotifyEvent) -> str | None:
        folder = self._folders.get(event.watch)
        if folder is None or not event.name:
            return None
        path = f"{folder}/{event.name}" if folder else event.name
        return path if folder_reason(path) is None else None

    def _follow(self, folder: str, kinds: int) -> None:
        """Watch a folder that has come, and leave one that has gone."""
        if kinds & (inotify.MOVED_FROM | inotify.DELETE):
            gone = [watch for watch, path in self._folders.items() if f"{path}/".startswith(f"{folder}/")]
            for watch in gone:
                self._inotify.remove(watch)
                self._scopes.pop(self._folders.pop(watch), None)
        if kinds & (inotify.CREATE | inotify.MOVED_TO):
            around = self._scopes.get(folder.rpartition("/")[0], ())
            scopes = _scopes_below(around, folder)
            if scopes is not None:
                self._walk(folder, scopes)

    def _walk_again(self) -> None:
        """Watch what the rules of now enter, and leave the rest."""
        before, self._folders, self._scopes = self._folders, {}, {}
        self._walk("", root_scopes(self._root))
        for watch in before.keys() - self._folders.keys():
            self._inotify.remove(watch)

    def _walk(self, start: str, scopes: _Scopes) -> None:
        waiting = [(start, scopes)]
        while waiting:
            folder, scopes = waiting.pop()
            place = f"{self._root}/{folder}" if folder else str(self._root)
            try:
                watch = self._inotify.add(place, sum(_KINDS))
            except OSError as error:
                if error.errno in _GONE:
                    continue
                raise
            names = list(_entries(place))  # after the watch is there: what comes later is an event
            if folder and any(name.lower() in RULE_NAMES for name, _ in names):
                scopes = entered(self._root, folder, scopes)
            self._folders[watch], self._scopes[folder] = folder, scopes
            for name, is_folder in names:
                path = f"{folder}/{name}" if folder else name
                below = _scopes_below(scopes, path) if is_folder else None
                if below is not None:
                    waiting.append((path, below))


def _scopes_below(scopes: _Scopes, folder: str) -> _Scopes | None:
    """Return the rules for a folder, given those around it; None for one that the crawl does not enter."""
    if folder_reason(folder) is not None:
        return None
    outcome = verdict(scopes, folder, folder=True)
    if outcome == "ignored":
        return None
    return (*scopes, HOLDS_TRACKED_ONLY) if outcome == "tracked" else scopes


def _entries(folder: str) -> Iterator[tuple[str, bool]]:
    """Yield the names in a folder and whether each is a folder; none for a folder that is gone."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                yield entry.name, entry.is_dir(follow_symlinks=False)
    except OSError:
        return
