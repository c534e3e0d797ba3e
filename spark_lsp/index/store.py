"""The index of one workspace: keeps the current view, refreshes it from disk, takes in single documents.

Views are immutable and read without locks. ``refresh`` is synchronous and belongs on a worker thread; an unsaved
document always wins over its file. Never raises because of one file: what cannot be read is counted.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from spark_lsp.index.cache import Facts, FileStamp, SymbolCache
from spark_lsp.index.crawl import CrawledFile, Skipped, check_root, content_reason, crawl, read_source, skip_reason
from spark_lsp.index.ignore import Rules, SkipReason
from spark_lsp.index.symbols import extract
from spark_lsp.index.texts import Texts
from spark_lsp.index.view import EMPTY_VIEW, PLAIN_TEXT, FileEntry, IndexView, laid_over, rebuilt, with_changes
from spark_lsp.index.windows import NO_WINDOWS, word_windows
from spark_lsp.text.document import content_hash
from spark_lsp.text.language import language_of_path

BATCH_FILES = 200  # published and written together: the index is usable while it grows
REBUILD_AT_LEAST = 1_000  # files laid over the tables before a refresh rebuilds them on its way

Progress = Callable[[int, int], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a refresh did and what the index then holds; ``as_json`` is the ``index`` command's answer."""

    files: int
    parsed: int
    reused: int
    removed: int
    skipped: Mapping[SkipReason, int]
    bytes: int
    symbols: int
    references: int
    languages: Mapping[str, int]
    seconds: float
    complete: bool = True
    """False when the refresh was cancelled; nothing is removed then."""

    def as_json(self) -> dict[str, object]:
        """Return the report as plain values."""
        return {
            "files": self.files,
            "parsed": self.parsed,
            "reused": self.reused,
            "removed": self.removed,
            "skipped": dict(sorted(self.skipped.items())),
            "bytes": self.bytes,
            "symbols": self.symbols,
            "references": self.references,
            "languages": dict(sorted(self.languages.items(), key=lambda item: (-item[1], item[0]))),
            "seconds": round(self.seconds, 3),
            "complete": self.complete,
        }


@dataclass(slots=True)
class _Run:
    """One refresh while it runs."""

    ticket: int
    stamps: Mapping[str, FileStamp]
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    parsed: int = 0
    reused: int = 0
    removed: int = 0
    batch: dict[str, FileEntry | None] = field(default_factory=dict)
    unwritten: dict[str, FileStamp] = field(default_factory=dict)
    facts: list[tuple[str, str, Facts]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


class Index:
    """Owns the current view of one workspace."""

    def __init__(
        self,
        root: Path,
        *,
        cache_path: Path | None = None,
        rules: Rules | None = None,
        say: Callable[[str], None] = log.warning,
    ) -> None:
        """Open the index; nothing is read before ``refresh``.

        ``cache_path`` None keeps nothing between sessions. ``say`` receives the one message about an unusable cache.

        Raises:
            WorkspaceError: the root is no folder, or too much for one workspace.
        """
        self.root = check_root(root)
        self.rules = rules or Rules()
        self._cache = SymbolCache(cache_path, say=say) if cache_path else None
        self._texts = Texts(self.root)
        self._lock = threading.Lock()  # guards the fields below, for moments only; never held while parsing
        self._refreshing = threading.Lock()
        self._view = EMPTY_VIEW
        self._open: set[str] = set()
        self._tickets = 0
        self._published: dict[str, int] = {}
        self._reasons: dict[str, SkipReason | None] = {}

    def view(self) -> IndexView:
        """Return the current view."""
        return self._view

    def close(self) -> None:
        """Close the cache file. The view stays usable."""
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
            made = self._entry_of_text(path, text) if text is not None else self._entry_of_file(path)
            entry, reason = (None, made.reason) if isinstance(made, Skipped) else (made, None)
        with self._lock:
            if self._published.get(path, 0) > ticket:
                return reason
            self._published[path] = ticket
            (self._open.add if text is not None else self._open.discard)(path)
            self._view = with_changes(self._view, {path: entry})
        if path.endswith((".gitignore", ".sparkignore")):
            self._reasons.clear()
        return reason

    def forget(self, path: str) -> None:
        """Drop a file that was deleted; unlike ``update`` this never looks at the disk."""
        with self._lock:
            self._tickets += 1
            self._published[path] = self._tickets
            self._open.discard(path)
            self._view = with_changes(self._view, {path: None})

    def refresh(
        self, progress: Progress | None = None, *, cancel: threading.Event | None = None, rebuild: bool = False
    ) -> IndexReport:
        """Bring the index up to what lies on disk: parse what is new or changed, keep what is not, drop what is gone.

        ``rebuild`` parses everything anew. ``progress`` receives files done and files in all. A second refresh waits
        for the first. Meant for a worker thread.

        Raises:
            WorkspaceError: the root has vanished.
        """
        with self._refreshing:
            return self._refresh(progress or _silent, cancel or threading.Event(), rebuild=rebuild)

    def _refresh(self, progress: Progress, cancel: threading.Event, *, rebuild: bool) -> IndexReport:
        started = time.monotonic()
        self._reasons.clear()
        if rebuild and self._cache is not None:
            self._cache.clear()
        run = _Run(self._take_ticket(), self._cache.stamps() if self._cache else {})
        found = list(crawl(self.root, self.rules, run.skipped, cancelled=cancel.is_set))
        done = 0
        for done, file in enumerate(found, 1):
            if cancel.is_set():
                break
            self._take_in(run, file, rebuild=rebuild)
            if len(run.batch) >= BATCH_FILES or len(run.unwritten) >= BATCH_FILES:
                self._publish(run)
                progress(done, len(found))
        complete = not cancel.is_set()
        if complete:
            self._remove_others(run)
        self._publish(run)
        progress(done, len(found))
        self._rebuild_tables()
        return _report(run, self._view, time.monotonic() - started, complete=complete)

    def _take_in(self, run: _Run, file: CrawledFile, *, rebuild: bool) -> None:
        """Decide for one file of the crawl: keep its entry, find its facts by content, or parse it."""
        run.seen.add(file.path)
        if file.path in self._open:
            run.reused += 1
            return
        known = self._view.files.get(file.path)
        entry: FileEntry | Skipped | None = None
        parsed = False
        if known and not rebuild and (known.size, known.mtime_ns) == (file.size, file.mtime_ns):
            entry = known
        elif not rebuild:
            entry = self._entry_of_stamp(run, file)
        if entry is None:
            entry, parsed = self._entry_of_crawled(file, known, rebuild=rebuild)
        if isinstance(entry, Skipped):
            run.skipped[entry.reason] += 1
            run.seen.discard(file.path)
            return
        run.parsed += parsed
        run.reused += not parsed
        if entry is not known:
            run.batch[file.path] = entry
        stamp = FileStamp(file.size, file.mtime_ns, entry.content_hash)
        if self._cache is not None and run.stamps.get(file.path) != stamp:
            run.unwritten[file.path] = stamp
            run.facts.append((entry.content_hash, entry.language, Facts(entry.symbols, entry.windows)))

    def _entry_of_stamp(self, run: _Run, file: CrawledFile) -> FileEntry | None:
        """Make the entry of a file that has not changed since the cache last saw it, without reading it."""
        stamp = run.stamps.get(file.path)
        if self._cache is None or stamp is None or (stamp.size, stamp.mtime_ns) != (file.size, file.mtime_ns):
            return None
        facts = self._cache.facts(stamp.content_hash, _language_name(file.path))
        return self._entry(file, stamp.content_hash, facts) if facts else None

    def _entry_of_crawled(
        self, file: CrawledFile, known: FileEntry | None, *, rebuild: bool
    ) -> tuple[FileEntry | Skipped, bool]:
        """Read a file; return its entry and whether it had to be parsed."""
        text = read_source(self.root, file.path, max_bytes=self.rules.max_file_bytes)
        if isinstance(text, Skipped):
            return text, False
        name = content_hash(text)
        self._texts.keep(name, text)
        facts: Facts | None = None
        if not rebuild and known is not None and known.content_hash == name:
            facts = Facts(known.symbols, known.windows)
        elif not rebuild and self._cache is not None:
            facts = self._cache.facts(name, _language_name(file.path))
        return self._entry(file, name, facts or _facts(file.path, text)), facts is None

    def _entry_of_file(self, path: str) -> FileEntry | Skipped:
        try:
            status = (self.root / path).stat()
        except (OSError, ValueError):
            return Skipped("unreadable")
        file = CrawledFile(path, status.st_size, status.st_mtime_ns)
        return self._entry_of_crawled(file, self._view.files.get(path), rebuild=False)[0]

    def _entry_of_text(self, path: str, text: str) -> FileEntry:
        facts = _facts(path, text)
        name = content_hash(text)
        return FileEntry(
            path, name, _language_name(path), facts.symbols, facts.windows, size=len(text), read=partial(str, text)
        )

    def _entry(self, file: CrawledFile, name: str, facts: Facts) -> FileEntry:
        return FileEntry(
            file.path,
            name,
            _language_name(file.path),
            facts.symbols,
            facts.windows,
            file.size,
            file.mtime_ns,
            read=partial(self._texts.read, file.path, name),
        )

    def _remove_others(self, run: _Run) -> None:
        """Drop what the crawl no longer finds; open documents stay for as long as they are open."""
        gone = [path for path in self._view.files if path not in run.seen and path not in self._open]
        run.removed = len(gone)
        run.batch.update(dict.fromkeys(gone))
        if self._cache is not None:
            self._cache.drop(path for path in run.stamps if path not in run.seen)

    def _publish(self, run: _Run) -> None:
        """Make a batch visible and write it down. A document that changed since the run began wins over its file."""
        with self._lock:
            fresh = {path: entry for path, entry in run.batch.items() if self._published.get(path, 0) < run.ticket}
            self._view = with_changes(self._view, fresh)
            view = self._view
        if self._cache is not None and run.unwritten:
            self._cache.keep(run.unwritten, run.facts)
        run.batch, run.unwritten, run.facts = {}, {}, []
        if len(view.stale) > max(REBUILD_AT_LEAST, len(view.postings.paths)):
            self._rebuild_tables()

    def _rebuild_tables(self) -> None:
        before = self._view
        built = rebuilt(before)
        with self._lock:
            self._view = laid_over(built, before, self._view)

    def _take_ticket(self) -> int:
        """Number an update when it begins, so that of two for one file the later one wins, whichever ends first."""
        with self._lock:
            self._tickets += 1
            return self._tickets

    def _reason(self, path: str) -> SkipReason | None:
        """Return why names and ignore files leave a path out; remembered, for each keystroke asks."""
        if path not in self._reasons:
            self._reasons[path] = skip_reason(self.root, path, self.rules)
        return self._reasons[path]


def _silent(_done: int, _total: int) -> None:
    """Report nothing."""


def _language_name(path: str) -> str:
    language = language_of_path(path)
    return language.name if language else PLAIN_TEXT


def _facts(path: str, text: str) -> Facts:
    """Parse one text. Plain text has no symbols, and its words would only dilute those of code."""
    language = language_of_path(path)
    return Facts(extract(language, text), word_windows(text.encode("utf-8", "replace")) if language else NO_WINDOWS)


def _report(run: _Run, view: IndexView, seconds: float, *, complete: bool) -> IndexReport:
    entries = [view.files[path] for path in view.files]
    return IndexReport(
        files=len(entries),
        parsed=run.parsed,
        reused=run.reused,
        removed=run.removed,
        skipped=dict(run.skipped),
        bytes=sum(entry.size for entry in entries),
        symbols=sum(len(entry.symbols.definitions) for entry in entries),
        references=sum(sum(entry.symbols.references.values()) for entry in entries),
        languages=Counter(entry.language for entry in entries),
        seconds=seconds,
        complete=complete,
    )
