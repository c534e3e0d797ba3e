"""Take files into the index: read and parse unknown ones, and store them in the cache.

Never publishes: a refresh or an update decides what of it counts.
"""

from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path

from spark_lsp.index.parse.facts import ScanResult, nothing_known, scan_file
from spark_lsp.index.published_view import PublishedView
from spark_lsp.index.scan.crawl import CrawledFile
from spark_lsp.index.scan.ignore import CrawlRules, SkipReason
from spark_lsp.index.storage.symbol_cache import LeftOut, SymbolCache
from spark_lsp.index.storage.tables import FileRow
from spark_lsp.index.storage.view import FileEntry
from spark_lsp.index.workers.entries import Entries
from spark_lsp.index.workers.pool import Workers
from spark_lsp.index.workers.reader import FileReader


class FileIntake:
    """The files of one workspace. ``cache`` None keeps nothing, without ``workers`` all is parsed in this process."""

    def __init__(
        self,
        root: Path,
        rules: CrawlRules,
        cache: SymbolCache | None,
        workers: Workers | None,
        published: PublishedView,
    ) -> None:
        self._root = root
        self._rules = rules
        self._published = published
        self._left_out: dict[str, LeftOut] = {}
        self.cache = cache
        self.workers = workers
        self.entries = Entries(root, cache, workers)

    @property
    def left_out(self) -> Mapping[str, LeftOut]:
        """Files that were read and left out because of their content."""
        return self._left_out

    def load_left_out(self) -> None:
        """Remember what the last session left out."""
        if self.cache is not None:
            self._left_out = self.cache.left_out()

    def leave_out(self, files: Mapping[str, LeftOut]) -> None:
        """Remember files that were left out, so that they need not be read again."""
        if files:
            self._left_out |= files
            if self.cache is not None:
                self.cache.keep_left_out(files.values())

    def reader(self, *, rebuild: bool = False) -> FileReader:
        """Return a reader, which parses no content that is known; with ``rebuild`` it parses everything."""
        cache = self.cache
        kept_here: Iterable[FileEntry] = () if cache else self._published.view.files.values()
        contents = {(entry.content_hash, entry.language) for entry in kept_here}

        def known(name: str, language: str) -> bool:
            return (name, language) in contents or (cache is not None and cache.counts(name, language) is not None)

        path = cache.path if cache else None
        return FileReader(self._root, self._rules.max_file_bytes, self.workers, path, None if rebuild else known)

    def with_entry(self, file: CrawledFile, result: ScanResult) -> tuple[ScanResult, FileEntry | None]:
        """Make the entry of a file; read it again where its facts were known and have been dropped since."""
        if result.reason is not None:
            return result, None
        entry = self.entries.of_scan_result(file, result, self._published.view)
        if entry is None:
            result = scan_file(self._root, file.path, max_bytes=self._rules.max_file_bytes, known=nothing_known)
            if result.reason is None:
                entry = self.entries.of_scan_result(file, result, self._published.view)
        return result, entry

    def entry_of_file(self, path: str) -> tuple[FileEntry | None, SkipReason | None]:
        """Read one file and store it; return its entry, or why it has none."""
        try:
            status = (self._root / path).stat()
        except (OSError, ValueError):
            return None, "unreadable"
        file = CrawledFile(path, status.st_size, status.st_mtime_ns)
        result, entry = self.with_entry(file, self.reader().here(path))
        if entry is None:
            return None, result.reason or "unreadable"
        batch = {path: entry}
        self.store([entry.row], [result] if result.payload else [], batch)
        return batch[path], None

    def store(self, rows: list[FileRow], facts: list[ScanResult], batch: MutableMapping[str, FileEntry]) -> bool:
        """Store files in the cache; where that fails, their entries hold their facts themselves."""
        if self.cache is None or not rows or self.cache.keep(rows, facts):
            return True
        for result in facts:
            if entry := batch.get(result.path):
                batch[result.path] = self.entries.holding(entry, result.payload)
        return False
