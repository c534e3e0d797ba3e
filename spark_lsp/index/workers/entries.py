"""Create the entries of files: from a row of the cache, from a worker's result, from the text in an editor.

An entry loads its facts and its text on demand and holds neither where a file does.
"""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from spark_lsp.index.parse.facts import ScanResult, packed_of, scan_result
from spark_lsp.index.scan.crawl import CrawledFile
from spark_lsp.index.scan.texts import Texts
from spark_lsp.index.storage.symbol_cache import SymbolCache
from spark_lsp.index.storage.tables import FileRow
from spark_lsp.index.storage.view import FileEntry, IndexView
from spark_lsp.index.workers.fact_source import FileFactsSource
from spark_lsp.index.workers.pool import URGENT, WorkerLostError, Workers
from spark_lsp.index.workers.worker import ParseText
from spark_lsp.text.snapshot import content_hash

PARSED_HERE_CHARS = 60_000  # a text up to this parses in some five milliseconds; a longer one would hold up the rest


class Entries:
    """Makes entries of one workspace. Safe to call from any thread."""

    def __init__(self, root: Path, cache: SymbolCache | None, workers: Workers | None) -> None:
        self._cache = cache
        self._workers = workers
        self._texts = Texts(root)
        self._facts = FileFactsSource(cache)

    def of_row(self, row: FileRow) -> FileEntry:
        """Make the entry of a file whose facts are in the cache."""
        read = partial(self._texts.read, row.path, row.content_hash)
        return FileEntry(
            row.path,
            row.content_hash,
            row.language,
            row.size,
            row.mtime_ns,
            row.definitions,
            row.uses,
            facts=partial(self._facts.fetch, row.content_hash, row.language, row.path, read),
            read=read,
        )

    def of_scan_result(self, file: CrawledFile, result: ScanResult, view: IndexView) -> FileEntry | None:
        """Make the entry of a file that was read; None when it was not parsed and its facts are not known either."""
        key = (result.content_hash, result.language)
        counts: tuple[int, int] | None = (result.definitions, result.uses)
        if not result.payload:
            own = view.files.get(file.path)
            known = (own, *view.files.values()) if self._cache is None else (own,)
            same = next((entry for entry in known if entry and (entry.content_hash, entry.language) == key), None)
            if same is not None:
                read = partial(self._texts.read, file.path, result.content_hash)
                return replace(same, path=file.path, size=file.size, mtime_ns=file.mtime_ns, read=read)
            counts = self._cache.counts(*key) if self._cache else None
        if counts is None:
            return None
        entry = self.of_row(FileRow(file.path, *key, file.size, file.mtime_ns, *counts))
        return entry if self._cache else self.holding(entry, result.payload)

    def of_text(self, path: str, text: str) -> FileEntry:
        """Make the entry of an open document."""
        result = self._parsed(path, text)
        entry = FileEntry(
            path,
            result.content_hash,
            result.language,
            size=len(text),
            definition_count=result.definitions,
            use_count=result.uses,
            read=partial(str, text),
        )
        return self.holding(entry, result.payload)

    def holding(self, entry: FileEntry, payload: bytes) -> FileEntry:
        """Return an entry that holds its facts itself, packed."""
        return replace(entry, facts=partial(self._facts.unpack, entry.content_hash, entry.language, payload))

    def _parsed(self, path: str, text: str) -> ScanResult:
        """Parse a text: a long one in a worker, for parsing stops every other thread of this process."""
        if len(text) > PARSED_HERE_CHARS and self._workers is not None:
            with suppress(WorkerLostError):
                answer = self._workers.submit(ParseText(path, text), urgency=URGENT).result()
                if answer.files:
                    return answer.files[0]
        return scan_result(path, content_hash(text), packed_of(path, text))
