"""The index of one workspace: keeps the current view, refreshes it from disk, takes in single documents.

Views are immutable and read without locks. ``refresh`` is synchronous and belongs on a worker thread; an unsaved
document always wins over its file. Never raises because of one file: what cannot be read is counted.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, MutableMapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from spark_lsp.index.parse.facts import ScanResult, language_name, nothing_known, scan_file
from spark_lsp.index.refresh import RefreshState
from spark_lsp.index.scan.crawl import (
    CrawledFile,
    check_root,
    content_reason,
    crawl,
    skip_reason,
    that_are_kept,
)
from spark_lsp.index.scan.history import History
from spark_lsp.index.scan.ignore import IGNORE_FILES, CrawlRules, SkipReason
from spark_lsp.index.storage.report import IndexReport, report_of
from spark_lsp.index.storage.symbol_cache import LeftOut, SymbolCache, extractor_digest
from spark_lsp.index.storage.tables import FileRow
from spark_lsp.index.storage.view import EMPTY_VIEW, FileEntry, IndexView, overlaid, rebuilt, view_of, with_changes
from spark_lsp.index.workers.entries import Entries
from spark_lsp.index.workers.pool import URGENT, Workers
from spark_lsp.index.workers.reader import FileReader
from spark_lsp.index.workers.worker import BuildTables, JobResult, done

BULK_FILES = 1_000
FEW_FILES = 300  # tables of so few are built in this process in less time than a worker takes to start
CONTENT_REASONS = frozenset({"secret", "generated", "binary", "not_utf8"})
BATCH_FILES = 200  # published and written together: the index is usable while it grows
REBUILD_AT_LEAST = 500  # files overlaid on the tables before a refresh builds new ones on its way
MAX_REASONS = 20_000  # remembered paths; a program may write files under ever new names
GROWTH = 3  # times as many files as the last tables hold: all tables of a first index cost a third more than the last
REBUILD_SHARE = 50  # at the end of a refresh one file in fifty is enough

Progress = Callable[[int, int], None]

log = logging.getLogger(__name__)


class Index:
    """Owns the current view of one workspace."""

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
        self._cache = SymbolCache(cache_path, say=say) if cache_path else None
        self._workers = workers
        self._entries = Entries(self.root, self._cache, workers)
        self.is_whole = False
        """Whether the view holds every file: not before the first refresh has ended, and not while another goes on."""
        self._lock = threading.Lock()  # guards the fields below, for moments only; never held while parsing
        self._refreshing = threading.Lock()
        self._view = replace(EMPTY_VIEW, root=self.root)
        self._opened = False
        self._left_out: dict[str, LeftOut] = {}
        self._open: set[str] = set()
        self._tickets = 0
        self._published: dict[str, int] = {}
        self._reasons: dict[str, SkipReason | None] = {}

    def view(self) -> IndexView:
        """Return the current view."""
        return self._view

    def close(self) -> None:
        """Close the cache file and end the workers. The view stays usable."""
        self.history.close()
        if self._workers is not None:
            self._workers.close()
        if self._cache is not None:
            self._cache.close()

    def update(self, path: str, text: str | None) -> SkipReason | None:
        """Take in one document: its unsaved text, or None to read the file again (saved, closed, changed on disk).

        Costs one parse of the text; returns why the file is not indexed, None when it is.
        """
        ticket = self._take_ticket()
        reason = self._reason(path)
        if reason is None and text is not None:
            reason = "too_large" if len(text) > self.rules.max_file_bytes else content_reason(text)
        entry: FileEntry | None = None
        if reason is None:
            entry, reason = self._entry_of_file(path) if text is None else (self._entries.of_text(path, text), None)
        with self._lock:
            if self._published.get(path, 0) > ticket:
                return reason
            self._published[path] = ticket
            (self._open.add if text is not None else self._open.discard)(path)
            self._view = with_changes(self._view, {path: entry})
        if path.endswith(IGNORE_FILES):
            self._reasons.clear()
        return reason

    def that_count(self, paths: Iterable[str]) -> set[str]:
        """Return which changed paths may change the index: indexed ones, ignore files, and what is not ignored.

        Reads the disk; meant for a worker thread.
        """
        known = self._view.files
        count = {path for path in paths if path in known or path.endswith(IGNORE_FILES)}
        return count | that_are_kept(self.root, set(paths) - count, self.rules)

    def forget(self, path: str) -> None:
        """Drop a file that was deleted; unlike ``update`` this never reads the disk."""
        with self._lock:
            self._tickets += 1
            self._published[path] = self._tickets
            self._open.discard(path)
            self._view = with_changes(self._view, {path: None})

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
            report = self._refresh(progress or _silent, cancel, rebuild=rebuild)
            self.is_whole = report.complete
            return report

    def _unchanged(self) -> IndexReport:
        """Return the report of a refresh that was cancelled before it began."""
        files = self._view.files.values()
        return report_of(files, parsed=0, reused=0, removed=0, skipped={}, seconds=0.0, problems=(), complete=False)

    def _refresh(self, progress: Progress, cancel: threading.Event, *, rebuild: bool) -> IndexReport:
        started = time.monotonic()
        self._reasons.clear()
        if rebuild and self._cache is not None:
            self._cache.clear()
        self._open_tables(rebuild=rebuild)
        run = RefreshState(self._take_ticket())
        files, is_whole = self._crawl(run, cancel)
        changed = self._keep_known(run, files, rebuild=rebuild)
        run.bulk = self._cache is not None and self._workers is not None and len(changed) > BULK_FILES
        total, finished = len(files), len(files) - len(changed)
        progress(finished, total)
        reader = self._reader(rebuild=rebuild)
        for file, result in reader.read(changed, cancelled=cancel.is_set):
            self._take_in(run, file, result)
            finished += 1
            if finished % BATCH_FILES == 0:
                self._publish(run, left=total - finished)
                progress(finished, total)
        is_whole = is_whole and not cancel.is_set()
        if is_whole:
            self._remove_others(run)
        self._publish(run)
        progress(finished, total)
        if not cancel.is_set():
            self._finish_tables(run)
        return report_of(
            self._view.files.values(),
            parsed=run.parsed,
            reused=run.reused,
            removed=run.removed,
            skipped=run.skipped,
            seconds=time.monotonic() - started,
            problems=run.problems,
            complete=is_whole,
        )

    def _crawl(self, run: RefreshState, cancel: threading.Event) -> tuple[list[CrawledFile], bool]:
        """Walk over the folders; return the files, and whether that came to its end before the deadline."""
        deadline_s = time.monotonic() + self.rules.max_crawl_s

        def stops() -> bool:
            return cancel.is_set() or time.monotonic() >= deadline_s

        files = list(crawl(self.root, self.rules, run.skipped, cancelled=stops, problem=run.problems.append))
        is_late = not cancel.is_set() and time.monotonic() >= deadline_s
        if is_late:
            run.skipped["limit"] += 1
            run.problems.append(
                f"The folders of {self.root.name} could not be looked at within {self.rules.max_crawl_s:.0f} s; "
                "what was found by then is indexed. Exclude large folders with spark.context.exclude."
            )
        return files, not is_late

    def _reader(self, *, rebuild: bool) -> FileReader:
        cache = self._cache
        kept_here = () if cache else self._view.files.values()
        contents = {(entry.content_hash, entry.language) for entry in kept_here}

        def known(name: str, language: str) -> bool:
            return (name, language) in contents or (cache is not None and cache.counts(name, language) is not None)

        cache_path = cache.path if cache else None
        return FileReader(self.root, self.rules.max_file_bytes, self._workers, cache_path, None if rebuild else known)

    def _keep_known(self, run: RefreshState, files: Iterable[CrawledFile], *, rebuild: bool) -> list[CrawledFile]:
        """Keep the entries of files that look as they did; return those that have to be read."""
        entries, left_out = self._view.files, self._left_out
        changed: list[CrawledFile] = []
        for file in files:
            out = left_out.get(file.path)
            if out and not rebuild and (out.size, out.mtime_ns) == (file.size, file.mtime_ns):
                run.skipped[out.reason] += 1
                continue
            run.seen.add(file.path)
            known = entries.get(file.path)
            same = known and (known.size, known.mtime_ns) == (file.size, file.mtime_ns)
            if file.path in self._open or (same and not rebuild):
                run.reused += 1
            else:
                changed.append(file)
        if rebuild or self._cache is None or not changed:
            return changed
        run.rows = self._cache.rows()
        return [file for file in changed if not self._keep_row(run, file)]

    def _keep_row(self, run: RefreshState, file: CrawledFile) -> bool:
        """Take the cache's word for a file that has not changed since the cache last saw it."""
        row = run.rows.get(file.path)
        if row is None or (row.size, row.mtime_ns) != (file.size, file.mtime_ns):
            return False
        if row.language != language_name(file.path):
            return False
        run.batch[file.path] = self._entries.of_row(row)
        run.reused += 1
        return True

    def _take_in(self, run: RefreshState, file: CrawledFile, result: ScanResult) -> None:
        """Take in what was found in one file that had to be read."""
        result, entry = self._with_entry(file, result)
        if result.reason is not None or entry is None:
            reason = result.reason or "unreadable"
            run.skipped[reason] += 1
            run.seen.discard(file.path)
            if reason in CONTENT_REASONS:
                run.left_out[file.path] = LeftOut(file.path, file.size, file.mtime_ns, reason)
            return
        run.parsed += bool(result.payload)
        run.reused += not result.payload
        run.batch[file.path] = entry
        if self._cache is not None:
            run.unwritten.append(entry.row)
            if result.payload:
                run.facts.append(result)

    def _with_entry(self, file: CrawledFile, result: ScanResult) -> tuple[ScanResult, FileEntry | None]:
        """Make the entry of a file; read it again where its facts were known and have been dropped since."""
        if result.reason is not None:
            return result, None
        entry = self._entries.of_scan_result(file, result, self._view)
        if entry is None:
            result = scan_file(self.root, file.path, max_bytes=self.rules.max_file_bytes, known=nothing_known)
            entry = self._entries.of_scan_result(file, result, self._view) if result.reason is None else None
        return result, entry

    def _entry_of_file(self, path: str) -> tuple[FileEntry | None, SkipReason | None]:
        """Read one file; return its entry, or why it has none."""
        try:
            status = (self.root / path).stat()
        except (OSError, ValueError):
            return None, "unreadable"
        file = CrawledFile(path, status.st_size, status.st_mtime_ns)
        result, entry = self._with_entry(file, self._reader(rebuild=False).here(path))
        if entry is None:
            return None, result.reason or "unreadable"
        batch = {path: entry}
        self._keep([entry.row], [result] if result.payload else [], batch)
        return batch[path], None

    # -- publishing --------------------------------------------------------------------------------------------------

    def _remove_others(self, run: RefreshState) -> None:
        """Drop what the crawl no longer finds; open documents stay for as long as they are open."""
        run.gone = [path for path in self._view.files if path not in run.seen and path not in self._open]
        run.removed = len(run.gone)
        if self._cache is not None:
            self._cache.drop({*run.gone, *(path for path in run.rows if path not in run.seen)})

    def _publish(self, run: RefreshState, *, left: int = 0) -> None:
        """Write a batch down and make it visible. A document that changed since the run began wins over its file."""
        if self._keep(run.unwritten, run.facts, run.batch) and run.bulk:
            run.waiting += len(run.batch)
            run.batch = {}
        changes: dict[str, FileEntry | None] = {**run.batch, **dict.fromkeys(run.gone)}
        with self._lock:
            fresh = {path: entry for path, entry in changes.items() if self._published.get(path, 0) < run.ticket}
            self._view = with_changes(self._view, fresh)
        if run.left_out:
            self._left_out |= run.left_out
            if self._cache is not None:
                self._cache.keep_left_out(run.left_out.values())
        run.batch, run.unwritten, run.facts, run.gone, run.left_out = {}, [], [], [], {}
        if run.bulk:
            self._advance_tables(run, left)
        elif len(self._view.stale) > max(REBUILD_AT_LEAST, len(self._view.tables.files.paths)):
            self._rebuild_tables()

    def _keep(self, rows: list[FileRow], facts: list[ScanResult], batch: MutableMapping[str, FileEntry]) -> bool:
        """Store files in the cache; where that fails, their entries hold their facts themselves."""
        if self._cache is None or not rows or self._cache.keep(rows, facts):
            return True
        for result in facts:
            if entry := batch.get(result.path):
                batch[result.path] = self._entries.holding(entry, result.payload)
        return False

    # -- tables ------------------------------------------------------------------------------------------------------

    def _open_tables(self, *, rebuild: bool) -> None:
        """Begin with the tables of the last session; until the crawl is through they may be out of date."""
        if self._opened:
            return
        self._opened = True
        if self._cache is None or rebuild:
            return
        self._left_out = self._cache.left_out()
        tables = self._cache.tables()
        if tables is not None:
            view = view_of(tables, {row.path: self._entries.of_row(row) for row in tables.files.rows()}, self.root)
            with self._lock:
                self._view = with_changes(view, self._view.stale)

    def _advance_tables(self, run: RefreshState, left: int) -> None:
        """Have tables built when there are many more files than in the last ones, and publish them when they are ready.

        Not when most files are through: the last tables come soon, and would cost the same again.
        """
        if run.layout is not None and run.layout[1].done():
            self._take_tables(run)
        held = len(self._view.tables.files.paths)
        if run.layout is None and left > held + run.waiting and run.waiting > max(REBUILD_AT_LEAST, GROWTH * held):
            self._order_tables(run, self._workers)

    def _order_tables(self, run: RefreshState, workers: Workers | None) -> None:
        assert self._cache is not None
        path = self._cache.new_tables_path()
        job = BuildTables(str(self._cache.path), str(path), extractor_digest())
        run.waiting = 0
        if workers is not None and workers.usable:
            run.layout = path, workers.submit(job, urgency=URGENT)
            return
        here: Future[JobResult] = Future()
        here.set_result(done(job))
        run.layout = path, here

    def _take_tables(self, run: RefreshState) -> bool:
        """Wait for the tables that were ordered and make them the view's; False when there are none."""
        assert self._cache is not None
        assert run.layout is not None
        (path, future), run.layout = run.layout, None
        fault = "a worker died" if future.exception() else future.result().fault
        if not fault:
            self._cache.put_tables(path)
        tables = None if fault else self._cache.tables()
        if tables is None:
            log.warning(
                "The tables of the index could not be rebuilt (%s); the older ones stay in use.", fault or "unreadable"
            )
            return False
        before = self._view.files
        entries = {}
        for row in tables.files.rows():
            known = before.get(row.path)
            entries[row.path] = known if known and known.row == row else self._entries.of_row(row)
        built = view_of(tables, entries, self.root)
        with self._lock:
            later = {path for path, ticket in self._published.items() if ticket > run.ticket} | self._open
            self._view = with_changes(built, {path: self._view.files.get(path) for path in later})
        return True

    def _finish_tables(self, run: RefreshState) -> None:
        """Build tables of everything, where enough has changed since the last ones."""
        if run.layout is not None:
            self._take_tables(run)
        stale, files = len(self._view.stale) + run.waiting, len(self._view.files) + run.waiting
        if self._cache is None or files <= FEW_FILES:
            self._rebuild_tables()
        elif run.waiting or stale > files // REBUILD_SHARE:
            self._order_tables(run, self._workers)
            if not self._take_tables(run):
                self._order_tables(run, None)
                self._take_tables(run)

    def _rebuild_tables(self) -> None:
        built = rebuilt(self._view)
        with self._lock:
            self._view = overlaid(built, self._view)

    # -- order -------------------------------------------------------------------------------------------------------

    def _take_ticket(self) -> int:
        """Number an update when it begins, so that of two for one file the later one wins, whichever ends first."""
        with self._lock:
            self._tickets += 1
            return self._tickets

    def _reason(self, path: str) -> SkipReason | None:
        """Return why names and ignore files leave a path out; remembered, for each keystroke asks."""
        if path not in self._reasons:
            if len(self._reasons) >= MAX_REASONS:
                self._reasons.clear()
            self._reasons[path] = skip_reason(self.root, path, self.rules)
        return self._reasons[path]


def _silent(_done: int, _total: int) -> None:
    """Report nothing."""
