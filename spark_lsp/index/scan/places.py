"""Find the path of a file in a workspace, whatever links lead to either."""

from functools import lru_cache
from pathlib import Path


def path_within(root: Path | None, path: Path | None) -> str | None:
    """Return a file's path relative to a workspace, with ``/``; None for one outside it.

    Editors name a folder by a link and its documents by their real path, or the other way round.
    """
    if root is None or path is None:
        return None
    if not path.is_relative_to(root):
        root, path = real_path(root), real_path(path)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


def shown_path(root: Path | None, path: Path) -> str:
    """Return the path by which prompts name a file; of one outside the workspace none that a file of it has."""
    return path_within(root, path) or (f"../{path.name}" if root else path.name)


@lru_cache(maxsize=4_096)
def real_path(path: Path) -> Path:
    """Resolve links, once for each path, because every key needs the result."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path
