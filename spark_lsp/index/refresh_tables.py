"""The tables that one refresh builds on its way and at its end, in a worker where there is one.

Belongs to the thread that refreshes. Without a cache there are no tables on disk, and few files need none.
"""

import logging
from concurrent.futures import Future
from pathlib import Path

from spark_lsp.index.file_intake import FileIntake
from spark_lsp.index.published_view import PublishedView
from spark_lsp.index.storage.symbol_cache import extractor_digest
from spark_lsp.index.storage.view import view_of
from spark_lsp.index.workers.pool import URGENT, Workers
from spark_lsp.index.workers.worker import BuildTables, JobResult, done

FEW_FILES = 300  # tables of so few are built in this process in less time than a worker takes to start
REBUILD_AT_LEAST = 500  # files overlaid on the tables before a refresh builds new ones on its way
GROWTH = 3  # times as many files as the last tables hold: all tables of a first index cost a third more than the last
REBUILD_SHARE = 50  # at the end of a refresh one file in fifty is enough

log = logging.getLogger(__name__)


def open_tables(intake: FileIntake, published: PublishedView, root: Path) -> None:
    """Begin with the tables of the last session; until the crawl is through they may be out of date."""
    tables = intake.cache.tables() if intake.cache else None
    if tables is not None:
        entries = {row.path: intake.entries.of_row(row) for row in tables.files.rows()}
        published.begin_with(view_of(tables, entries, root))


class RefreshTables:
    """The tables of one refresh. ``ticket`` is the refresh's: what was updated after it began stays over them."""

    def __init__(self, intake: FileIntake, published: PublishedView, root: Path, ticket: int) -> None:
        self._intake = intake
        self._published = published
        self._root = root
        self._ticket = ticket
        self._unlisted = 0
        self._ordered: tuple[Path, Future[JobResult]] | None = None

    def leave_to_tables(self, files: int) -> None:
        """Note files that the cache has and that come to light with the next tables alone."""
        self._unlisted += files

    def advance(self, left: int) -> None:
        """Order tables when there are many more files than in the last ones, and publish them when they are ready.

        Not when most files are through (``left`` are not): the last tables come soon, and would cost the same again.
        """
        if self._ordered is not None and self._ordered[1].done():
            self._take()
        held = len(self._published.view.tables.files.paths)
        is_much = self._unlisted > max(REBUILD_AT_LEAST, GROWTH * held)
        if self._ordered is None and left > held + self._unlisted and is_much:
            self._order(self._intake.workers)

    def rebuild_if_stale(self) -> None:
        """Build tables here when very many files are overlaid on the last ones."""
        view = self._published.view
        if len(view.stale) > max(REBUILD_AT_LEAST, len(view.tables.files.paths)):
            self._published.rebuild_tables()

    def finish(self) -> None:
        """Build tables of everything, where enough has changed since the last ones."""
        if self._ordered is not None:
            self._take()
        view = self._published.view
        stale, files = len(view.stale) + self._unlisted, len(view.files) + self._unlisted
        if self._intake.cache is None or files <= FEW_FILES:
            self._published.rebuild_tables()
        elif self._unlisted or stale > files // REBUILD_SHARE:
            self._order(self._intake.workers)
            if not self._take():
                self._order(None)
                self._take()

    def _order(self, workers: Workers | None) -> None:
        """Have tables built of what the cache holds now: by a worker, or here without one."""
        cache = self._intake.cache
        assert cache is not None, "tables are built of what a cache holds"
        path = cache.new_tables_path()
        job = BuildTables(str(cache.path), str(path), extractor_digest())
        self._unlisted = 0
        if workers is not None and workers.usable:
            self._ordered = path, workers.submit(job, urgency=URGENT)
            return
        here: Future[JobResult] = Future()
        here.set_result(done(job))
        self._ordered = path, here

    def _take(self) -> bool:
        """Wait for the tables that were ordered and make them the view's; False when there are none."""
        cache = self._intake.cache
        assert cache is not None, "tables are built of what a cache holds"
        assert self._ordered is not None, "tables are ordered before they are taken"
        (path, future), self._ordered = self._ordered, None
        fault = "a worker died" if future.exception() else future.result().fault
        if not fault:
            cache.put_tables(path)
        tables = None if fault else cache.tables()
        if tables is None:
            log.warning(
                "The tables of the index could not be rebuilt (%s); the older ones stay in use.", fault or "unreadable"
            )
            return False
        before = self._published.view.files
        entries = {}
        for row in tables.files.rows():
            known = before.get(row.path)
            entries[row.path] = known if known and known.row == row else self._intake.entries.of_row(row)
        self._published.replace_tables(view_of(tables, entries, self._root), self._ticket)
        return True
