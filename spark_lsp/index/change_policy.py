"""Decide what changes on disk mean for the index: which of them matter, and when a full refresh is needed."""

from collections.abc import Collection
from pathlib import Path

from spark_lsp.index.scan.ignore import IGNORE_FILES, folder_reason
from spark_lsp.index.storage.view import IndexView

FEW_FILES = 20  # beyond that one walk over the workspace is cheaper, and it sees changes that were not reported


def matters(path: str) -> bool:
    """Whether a path (relative, with ``/``) is where the walk goes; decided by its name alone."""
    parts = path.split("/")
    return not any(folder_reason("/".join(parts[:depth])) for depth in range(1, len(parts) + 1))


def wants_refresh(view: IndexView, root: Path, paths: Collection[str]) -> bool:
    """Whether changed paths call for a refresh: many of them, a folder that came or went, other rules.

    Reads the disk; meant for a worker thread.
    """
    if len(paths) > FEW_FILES or any(path.endswith(IGNORE_FILES) for path in paths):
        return True
    unknown = [path for path in paths if path not in view.files]
    if any((root / path).is_dir() for path in unknown):
        return True
    gone = tuple(f"{path}/" for path in unknown if not (root / path).exists())
    return bool(gone) and any(path.startswith(gone) for path in view.files)
