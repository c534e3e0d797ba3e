"""Decide which files may not leave the machine: ignored files and those that look like secrets.

Asks for a path and for what it links to. An answer is kept for some seconds, since each key asks; the rules are read
from disk and may change.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from spark_lsp.index.scan.crawl import skip_reason
from spark_lsp.index.scan.ignore import CrawlRules, folder_reason
from spark_lsp.index.scan.secrets import is_secret_name

KEPT_S: Final = 5.0
MAX_KEPT: Final = 200
_PRIVATE: Final = frozenset({"ignored", "secret"})


class PrivateFiles:
    """The files of a workspace, and around it, that stay on this machine. Belongs to one event loop."""

    def __init__(self, root: Path | None, rules: CrawlRules, now: Callable[[], float] = time.monotonic) -> None:
        self._root = root.resolve() if root else None
        self._rules = rules
        self._now = now
        self._kept: dict[Path, tuple[float, bool]] = {}

    def holds(self, path: Path) -> bool:
        """Whether a file must stay on the machine; true if it cannot be examined."""
        now = self._now()
        kept = self._kept.get(path)
        if kept and now - kept[0] < KEPT_S:
            return kept[1]
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        try:
            resolved = path.resolve()
            is_private = any(map(self._is_private, {Path(os.path.normpath(path)), resolved}))
        except (OSError, RuntimeError):
            is_private = True
        self._kept[path] = (now, is_private)
        return is_private

    def _is_private(self, path: Path) -> bool:
        if is_secret_name(path.name) or any(folder_reason(part) == "secret" for part in path.parts[:-1]):
            return True
        if self._root and path.is_relative_to(self._root):
            return skip_reason(self._root, path.relative_to(self._root).as_posix(), self._rules) in _PRIVATE
        repository = next((folder for folder in path.parents if (folder / ".git").exists()), None)
        if repository is None:
            return False
        return skip_reason(repository.resolve(), path.relative_to(repository).as_posix(), CrawlRules()) in _PRIVATE
