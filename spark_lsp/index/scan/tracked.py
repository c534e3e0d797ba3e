"""Which files a repository tracks although a pattern ignores them: for git these are files like any other.

Asks git itself, with nothing of the repository's configuration in effect that could start a program. Never raises: what
cannot be read is nothing, and the patterns alone decide then.
"""

import os
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from spark_lsp.index.scan.repository import NO_WINDOW, git_environment, git_folder_of, git_program

LIMIT_S: Final = 5.0  # git looks at each tracked path: some 0.2 s for 100,000 of them
MAX_BYTES: Final = 4_000_000
_LIST: Final = (
    *("--no-pager", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}"),
    *("ls-files", "-z", "--cached", "--ignored", "--exclude-standard"),
)


@dataclass(frozen=True, slots=True)
class TrackedFiles:
    """Tracked files that a pattern ignores, and the folders that hold them; relative to the repository's top."""

    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()

    def has(self, path: str, *, folder: bool) -> bool:
        """Whether a path is one of them, or a folder with some of them in it."""
        return path in (self.folders if folder else self.files)


NOTHING_TRACKED: Final = TrackedFiles()


def tracked_although_ignored(top: Path) -> TrackedFiles:
    """Return those of the repository whose top this is; kept until its index changes or ``forget_tracked``.

    Blocks for up to ``LIMIT_S``; meant for a worker thread.
    """
    git_folder = git_folder_of(top)
    try:
        status = (git_folder / "index").stat() if git_folder else None
    except (OSError, ValueError):
        status = None
    return _ask(top, status.st_mtime_ns, status.st_size) if status else NOTHING_TRACKED


def forget_tracked() -> None:
    """Ask git again: ignore files may have changed."""
    _ask.cache_clear()


@lru_cache(maxsize=64)
def _ask(top: Path, _modified_ns: int, _size: int) -> TrackedFiles:
    program = git_program(top)
    if program is None:
        return NOTHING_TRACKED
    try:
        process = subprocess.Popen(  # noqa: S603 - git of the user's PATH, with nothing of the repository in the command
            [program, *_LIST],
            cwd=top,
            env=git_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=NO_WINDOW,
        )
    except (OSError, ValueError):
        return NOTHING_TRACKED
    files = frozenset(name.decode("utf-8", "surrogateescape") for name in _output(process).split(b"\0") if name)
    folders = {path[:end] for path in files for end, sign in enumerate(path) if sign == "/"}
    return TrackedFiles(files, frozenset(folders))


def _output(process: "subprocess.Popen[bytes]") -> bytes:
    """Read what git prints, and end it when that takes too long or is too much; nothing then."""
    assert process.stdout
    timer = threading.Timer(LIMIT_S, process.kill)
    timer.start()
    with process, process.stdout:
        raw = process.stdout.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            with suppress(OSError):
                process.kill()
    timer.cancel()
    return raw if process.returncode == 0 else b""
