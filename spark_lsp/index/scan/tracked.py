"""Find the files that a repository tracks although a pattern ignores them; git treats them like any other file.

Asks git itself, with nothing of the repository's configuration in effect that could start a program. Never raises: what
cannot be read is nothing, and the patterns alone decide then.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from spark_lsp.index.scan.repository import git_folder_of
from spark_lsp.index.scan.run_git import git_output

LIMIT_S: Final = 5.0  # git looks at each tracked path: some 0.2 s for 100,000 of them
MAX_BYTES: Final = 4_000_000
_LIST: Final = ("ls-files", "-z", "--cached", "--ignored", "--exclude-standard")


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
    output = git_output(top, _LIST, limit_s=LIMIT_S, most_bytes=MAX_BYTES)
    raw = b"" if output.is_cut else output.raw
    files = frozenset(name.decode("utf-8", "surrogateescape") for name in raw.split(b"\0") if name)
    folders = {path[:end] for path in files for end, sign in enumerate(path) if sign == "/"}
    return TrackedFiles(files, frozenset(folders))
