"""Find the files of a workspace that often change together, from its git history. Has paths, never content.

Read once in the background and again when HEAD has moved; what is read is immutable. Without a repository, or where it
cannot be read, nothing changes together. Never names a file that the index does not hold.
"""

import math
import subprocess
import threading
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from spark_lsp.index.scan.git import changed_files, head_of

FILES_MOST = 30  # a commit that changes more is a reformat or a rename, and says nothing of any two of them
COMMITS_OF_FILE = 64  # the newest that changed a file: bounds the time of a key, and old ones tell less
DOUBT = 2.0  # commits of other files that every file is taken to have: one commit alone proves little


@dataclass(frozen=True, slots=True, eq=False)
class CoChanges:
    """The files of commits, the newest commit first, and for each file the commits that changed it."""

    commits: Sequence[Sequence[str]] = ()
    of_path: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def beside(self, path: str, files: Container[str]) -> dict[str, float]:
        """Return those of ``files`` that changed with one, each with a share below 1 of the one's commits.

        A commit counts the less the more files it changed: as one over the binary logarithm of their number.
        """
        numbers = self.of_path.get(path, ())
        shares: dict[str, float] = {}
        for number in numbers:
            commit = self.commits[number]
            for neighbour in commit:
                if neighbour != path:
                    shares[neighbour] = shares.get(neighbour, 0.0) + 1 / math.log2(len(commit))
        return {neighbour: share / (len(numbers) + DOUBT) for neighbour, share in shares.items() if neighbour in files}


NO_CHANGES = CoChanges()


def co_changes(commits: Iterable[Iterable[str]]) -> CoChanges:
    """Lay out the files of commits, the newest commit first; those of very many files are left out."""
    names: dict[str, str] = {}  # one string for each path, however many commits name it
    kept: list[tuple[str, ...]] = []
    of_path: dict[str, list[int]] = {}
    for commit in commits:
        files = tuple(names.setdefault(path, path) for path in dict.fromkeys(commit))
        if not files or len(files) > FILES_MOST:
            continue
        for path in files:
            of_path.setdefault(path, []).append(len(kept))
        kept.append(files)
    return CoChanges(tuple(kept), {path: tuple(numbers[:COMMITS_OF_FILE]) for path, numbers in of_path.items()})


class History:
    """The known history. ``view`` is for any thread, ``refresh`` for worker threads."""

    def __init__(self, root: Path) -> None:
        """Prepare; nothing is read before ``refresh``."""
        self._root = root
        self._view = NO_CHANGES
        self._head: tuple[str, ...] = ()
        self._refreshing = threading.Lock()
        self._lock = threading.Lock()  # guards the two below, for moments only
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def view(self) -> CoChanges:
        """Return what was read last."""
        return self._view

    def refresh(self) -> None:
        """Read the history if HEAD has moved since the last time, which takes a few small files to tell.

        A reading that goes on is not waited for.
        """
        if not self._refreshing.acquire(blocking=False):
            return
        try:
            head = head_of(self._root)
            if head != self._head and not self._closed:
                self._head = head
                self._view = co_changes(changed_files(self._root, self._started)) if head else NO_CHANGES
        finally:
            self._refreshing.release()

    def close(self) -> None:
        """End a git that runs, and start no other."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            with suppress(OSError):
                process.kill()

    def _started(self, process: "subprocess.Popen[bytes]") -> None:
        with self._lock:
            self._process = process
            if self._closed:
                process.kill()
