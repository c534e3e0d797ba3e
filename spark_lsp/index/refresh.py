"""What one refresh of the index holds while it runs. Belongs to the thread that refreshes."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from spark_lsp.index.parse.facts import ScanResult
from spark_lsp.index.scan.ignore import SkipReason
from spark_lsp.index.storage.symbol_cache import LeftOut
from spark_lsp.index.storage.tables import FileRow
from spark_lsp.index.storage.view import FileEntry
from spark_lsp.index.workers.worker import JobResult


@dataclass(slots=True)
class RefreshState:
    """One refresh while it runs."""

    ticket: int
    rows: Mapping[str, FileRow] = field(default_factory=dict)
    """Files as the cache knows them."""
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    parsed: int = 0
    reused: int = 0
    removed: int = 0
    batch: dict[str, FileEntry] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    unwritten: list[FileRow] = field(default_factory=list)
    facts: list[ScanResult] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    bulk: bool = False
    """Whether files come to light with the next tables alone: so many at once would hold up the rest of the program."""
    waiting: int = 0
    """Files that the cache has and no table holds yet."""
    layout: "tuple[Path, Future[JobResult]] | None" = None
