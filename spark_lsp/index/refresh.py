"""One refresh of the index: crawls the folders, reads what is new or changed, drops what is gone, publishes in batches.

Lives as long as the refresh, in the thread that refreshes. Never raises because of one file: what cannot be read is
counted.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from spark_lsp.index.file_intake import FileIntake
from spark_lsp.index.parse.facts import ScanResult, language_name
from spark_lsp.index.published_view import PublishedView
from spark_lsp.index.refresh_tables import RefreshTables
from spark_lsp.index.scan.crawl import CrawledFile, crawl
from spark_lsp.index.scan.ignore import CrawlRules, SkipReason
from spark_lsp.index.storage.report import IndexReport, report_of
from spark_lsp.index.storage.symbol_cache import LeftOut
from spark_lsp.index.storage.tables import FileRow
from spark_lsp.index.storage.view import FileEntry

BULK_FILES = 1_000
CONTENT_REASONS = frozenset({"secret", "generated", "binary", "not_utf8"})
BATCH_FILES = 200  # published and written together: the index is usable while it grows

Progress = Callable[[int, int], None]


class Refresh:
    """A refresh while it runs. ``progress`` receives files done and files in all; ``rebuild`` parses everything."""

    def __init__(
        self,
        root: Path,
        rules: CrawlRules,
        intake: FileIntake,
        published: PublishedView,
        *,
        progress: Progress,
        cancel: threading.Event,
        rebuild: bool,
    ) -> None:
        self._root = root
        self._rules = rules
        self._intake = intake
        self._published = published
        self._progress = progress
        self._cancel = cancel
        self._rebuild = rebuild
        self._started_s = time.monotonic()
        self._ticket = published.take_ticket()
        self._tables = RefreshTables(intake, published, root, self._ticket)
        self._rows: Mapping[str, FileRow] = {}
        """Files as the cache knows them."""
        self._is_bulk = False
        """Whether files come to light with the next tables alone: so many at once would hold up the rest."""
        self._seen: set[str] = set()
        self._parsed = self._reused = self._removed = 0
        self._skipped: Counter[SkipReason] = Counter()
        self._problems: list[str] = []
        self._batch: dict[str, FileEntry] = {}
        self._unwritten: list[FileRow] = []
        self._facts: list[ScanResult] = []
        self._gone: list[str] = []
        self._left_out: dict[str, LeftOut] = {}

    def run(self) -> IndexReport:
        """Refresh; return what was done."""
        files, is_whole = self._crawl()
        changed = self._changed(files)
        has_helpers = self._intake.cache is not None and self._intake.workers is not None
        self._is_bulk = has_helpers and len(changed) > BULK_FILES
        total, finished = len(files), len(files) - len(changed)
        self._progress(finished, total)
        reader = self._intake.reader(rebuild=self._rebuild)
        for file, result in reader.read(changed, cancelled=self._cancel.is_set):
            self._take_in(file, result)
            finished += 1
            if finished % BATCH_FILES == 0:
                self._publish(left=total - finished)
                self._progress(finished, total)
        is_whole = is_whole and not self._cancel.is_set()
        if is_whole:
            self._remove_others()
        self._publish()
        self._progress(finished, total)
        if not self._cancel.is_set():
            self._tables.finish()
        return report_of(
            self._published.view.files.values(),
            parsed=self._parsed,
            reused=self._reused,
            removed=self._removed,
            skipped=self._skipped,
            seconds=time.monotonic() - self._started_s,
            problems=self._problems,
            complete=is_whole,
        )

    def _crawl(self) -> tuple[list[CrawledFile], bool]:
        """Walk over the folders; return the files, and whether that came to its end before the deadline."""
        deadline_s = time.monotonic() + self._rules.max_crawl_s

        def stops() -> bool:
            return self._cancel.is_set() or time.monotonic() >= deadline_s

        files = list(crawl(self._root, self._rules, self._skipped, cancelled=stops, problem=self._problems.append))
        is_late = not self._cancel.is_set() and time.monotonic() >= deadline_s
        if is_late:
            self._skipped["limit"] += 1
            self._problems.append(
                f"The folders of {self._root.name} could not be listed within {self._rules.max_crawl_s:.0f} s; "
                "the files listed by then are indexed. Exclude large folders with spark.context.exclude."
            )
        return files, not is_late

    def _changed(self, files: Iterable[CrawledFile]) -> list[CrawledFile]:
        """Keep the entries of files that look as they did; return those that have to be read."""
        entries, left_out = self._published.view.files, self._intake.left_out
        changed: list[CrawledFile] = []
        for file in files:
            out = left_out.get(file.path)
            if out and not self._rebuild and (out.size, out.mtime_ns) == (file.size, file.mtime_ns):
                self._skipped[out.reason] += 1
                continue
            self._seen.add(file.path)
            known = entries.get(file.path)
            same = known and (known.size, known.mtime_ns) == (file.size, file.mtime_ns)
            if self._published.is_open(file.path) or (same and not self._rebuild):
                self._reused += 1
            else:
                changed.append(file)
        if self._rebuild or self._intake.cache is None or not changed:
            return changed
        self._rows = self._intake.cache.rows()
        return [file for file in changed if not self._keep_row(file)]

    def _keep_row(self, file: CrawledFile) -> bool:
        """Take the cache's word for a file that has not changed since the cache last saw it."""
        row = self._rows.get(file.path)
        if row is None or (row.size, row.mtime_ns) != (file.size, file.mtime_ns):
            return False
        if row.language != language_name(file.path):
            return False
        self._batch[file.path] = self._intake.entries.of_row(row)
        self._reused += 1
        return True

    def _take_in(self, file: CrawledFile, result: ScanResult) -> None:
        """Take in what was found in one file that had to be read."""
        result, entry = self._intake.with_entry(file, result)
        if result.reason is not None or entry is None:
            reason = result.reason or "unreadable"
            self._skipped[reason] += 1
            self._seen.discard(file.path)
            if reason in CONTENT_REASONS:
                self._left_out[file.path] = LeftOut(file.path, file.size, file.mtime_ns, reason)
            return
        self._parsed += bool(result.payload)
        self._reused += not result.payload
        self._batch[file.path] = entry
        if self._intake.cache is not None:
            self._unwritten.append(entry.row)
            if result.payload:
                self._facts.append(result)

    def _remove_others(self) -> None:
        """Drop what the crawl no longer finds; open documents stay for as long as they are open."""
        files, is_open = self._published.view.files, self._published.is_open
        self._gone = [path for path in files if path not in self._seen and not is_open(path)]
        self._removed = len(self._gone)
        if self._intake.cache is not None:
            self._intake.cache.drop({*self._gone, *(path for path in self._rows if path not in self._seen)})

    def _publish(self, *, left: int = 0) -> None:
        """Write a batch down and make it visible; a document that changed meanwhile wins over its file."""
        if self._intake.store(self._unwritten, self._facts, self._batch) and self._is_bulk:
            self._tables.leave_to_tables(len(self._batch))
            self._batch = {}
        self._published.publish({**self._batch, **dict.fromkeys(self._gone)}, self._ticket)
        self._intake.leave_out(self._left_out)
        self._batch, self._unwritten, self._facts, self._gone, self._left_out = {}, [], [], [], {}
        if self._is_bulk:
            self._tables.advance(left)
        else:
            self._tables.rebuild_if_stale()
