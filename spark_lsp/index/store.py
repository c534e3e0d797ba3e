"""The index of one workspace: its view, a refresh from disk, single documents.

Views are immutable and read without locks. ``refresh`` is synchronous and belongs on a worker thread; an unsaved
document always wins over its file. Never raises because of one file: what cannot be read is counted.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from spark_lsp.index.file_intake import FileIntake
from spark_lsp.index.published_view import PublishedView
from spark_lsp.index.refresh import Progress, Refresh
from spark_lsp.index.refresh_tables import open_tables
from spark_lsp.index.scan.crawl import check_root, content_reason, skip_reason, that_are_kept
from spark_lsp.index.scan.history import History
from spark_lsp.index.scan.ignore import IGNORE_FILES, CrawlRules, SkipReason
from spark_lsp.index.storage.report import IndexReport, report_of
from spark_lsp.index.storage.symbol_cache import SymbolCache
from spark_lsp.index.storage.view import FileEntry, IndexView
from spark_lsp.index.workers.pool import Workers

MAX_REASONS = 20_000  # remembered paths; a program may write files under ever new names

log = logging.getLogger(__name__)


class Index:
    """The index of one workspace."""

    def __init__(
        self,
        root: Path,
        *,
        cache_path: Path | None = None,
        rules: CrawlRules | None = None,
        workers: Workers | None = None,
        say: Callable[[str], None] = log.warning,
    ) -> None:
        """Open the index; nothing is read before ``refresh``.

        ``cache_path`` None keeps nothing between sessions. Without ``workers`` all is parsed in this process. ``say``
        receives the one message about an unusable cache.

        Raises:
            WorkspaceError: the root is no folder, or too much for one workspace.
        """
        self.root = check_root(root)
        self.rules = rules or CrawlRules()
        self.history = History(self.root)
        self.is_whole = False
        """Whether the view holds every file: not before the first refresh has ended, and not while another goes on."""
        cache = SymbolCache(cache_path, say=say) if cache_path else None
        self._published = PublishedView(self.root)
        self._intake = FileIntake(self.root, self.rules, cache, workers, self._published)
        self._refreshing = threading.Lock()
        self._has_opened_tables = False
        self._reasons: dict[str, SkipReason | None] = {}

    def view(self) -> IndexView:
        """Return the current view."""
        return self._published.view

    def close(self) -> None:
        """Close the cache file and end the workers. The view stays usable."""
        self.history.close()
        if self._intake.workers is not None:
            self._intake.workers.close()
        if self._intake.cache is not None:
            self._intake.cache.close()

    def update(self, path: str, text: str | None) -> SkipReason | None:
        """Take in one document: its unsaved text, or None to read the file again (saved, closed, changed on disk).

        Costs one parse of the text; returns why the file is not indexed, None when it is.
        """
        ticket = self._published.take_ticket()
        reason = self._reason(path)
        if reason is None and text is not None:
            reason = "too_large" if len(text) > self.rules.max_file_bytes else content_reason(text)
        entry: FileEntry | None = None
        if reason is None and text is None:
            entry, reason = self._intake.entry_of_file(path)
        elif reason is None and text is not None:
            entry = self._intake.entries.of_text(path, text)
        if self._published.update(path, entry, ticket, is_open=text is not None) and path.endswith(IGNORE_FILES):
            self._reasons.clear()
        return reason

    def that_count(self, paths: Iterable[str]) -> set[str]:
        """Return which changed paths may change the index: indexed ones, ignore files, and what is not ignored.

        Reads the disk; meant for a worker thread.
        """
        known = self.view().files
        count = {path for path in paths if path in known or path.endswith(IGNORE_FILES)}
        return count | that_are_kept(self.root, set(paths) - count, self.rules)

    def forget(self, path: str) -> None:
        """Drop a file that was deleted; unlike ``update`` this never reads the disk."""
        self._published.forget(path)

    def refresh(
        self, progress: Progress | None = None, *, cancel: threading.Event | None = None, rebuild: bool = False
    ) -> IndexReport:
        """Bring the index up to date with the disk: parse what is new or changed, keep what is not, drop what is gone.

        ``rebuild`` parses everything again. ``progress`` receives files done and files in all. A second refresh waits
        for the first. Meant for a worker thread.

        Raises:
            WorkspaceError: the root has vanished.
        """
        cancel = cancel or threading.Event()
        with self._refreshing:
            if cancel.is_set():  # while it waited, another one may have made the index whole, which it stays
                return self._unchanged()
            self.is_whole = False
            self._reasons.clear()
            if rebuild and self._intake.cache is not None:
                self._intake.cache.clear()
            refresh = Refresh(
                self.root,
                self.rules,
                self._intake,
                self._published,
                progress=progress or _silent,
                cancel=cancel,
                rebuild=rebuild,
            )
            self._open_tables(rebuild=rebuild)
            report = refresh.run()
            self.is_whole = report.complete
            return report

    def _unchanged(self) -> IndexReport:
        """Return the report of a refresh that was cancelled before it began."""
        files = self.view().files.values()
        return report_of(files, parsed=0, reused=0, removed=0, skipped={}, seconds=0.0, problems=(), complete=False)

    def _open_tables(self, *, rebuild: bool) -> None:
        """Begin with what the last session has left, once; a rebuild needs nothing of it."""
        if self._has_opened_tables:
            return
        self._has_opened_tables = True
        if not rebuild:
            self._intake.load_left_out()
            open_tables(self._intake, self._published, self.root)

    def _reason(self, path: str) -> SkipReason | None:
        """Return why names and ignore files leave a path out; remembered, for each keystroke asks."""
        if path not in self._reasons:
            if len(self._reasons) >= MAX_REASONS:
                self._reasons.clear()
            self._reasons[path] = skip_reason(self.root, path, self.rules)
        return self._reasons[path]


def _silent(_done: int, _total: int) -> None:
    """Report nothing."""
