"""Delete index files that nobody has opened for long, so that deleted workspaces leave nothing behind.

Reads names and times, never a file; what cannot be removed stays. Never touches another folder.
"""

import contextlib
import os
import time
from collections import defaultdict
from pathlib import Path

KEPT_DAYS = 60
"""A first index of 10,000 files takes seconds, so little is lost with one that is wanted again after two months."""
_DAY_S = 86_400


def mark_used(cache_path: Path) -> None:
    """Note that a workspace's index is in use; opening alone would not show."""
    with contextlib.suppress(OSError):
        os.utime(cache_path)


def remove_unused(folder: Path, *, now_s: float | None = None) -> list[str]:
    """Remove the files of every index that was last used more than ``KEPT_DAYS`` ago; return the indexes' names.

    All files of an index share the part of their names before the first dot.
    """
    oldest_s = (time.time() if now_s is None else now_s) - KEPT_DAYS * _DAY_S
    indexes: dict[str, list[Path]] = defaultdict(list)
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            indexes[path.name.partition(".")[0]].append(path)
    return sorted(name for name, paths in indexes.items() if _removed(paths, oldest_s))


def _removed(paths: list[Path], oldest_s: float) -> bool:
    try:
        if max(path.stat().st_mtime for path in paths) >= oldest_s:
            return False
        for path in paths:
            path.unlink()
    except OSError:  # another window removes it too, or it is no file
        return False
    return True
