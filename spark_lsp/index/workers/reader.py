"""Read and parse many files: in worker processes, slice by slice, or in this process if there are none or few.

Yields what was found in whatever order it comes. A file that kills its worker is taken as text without symbols.
"""

import queue
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from spark_lsp.index.parse.facts import NO_ROWS, IsKnown, ScanResult, nothing_known, scan_file, scan_result
from spark_lsp.index.scan.crawl import CrawledFile, Skipped, read_source
from spark_lsp.index.workers.pool import Workers
from spark_lsp.index.workers.worker import JobResult, ScanFiles
from spark_lsp.text.snapshot import content_hash

SLICE_FILES = 32
SLICE_BYTES = 200_000  # some thirty milliseconds of parsing: short enough to stop, long enough to be worth the way
WORTH_A_WORKER_BYTES = 300_000  # starting one takes as long as parsing this here
SLICES_AHEAD = 2  # slices for each worker, so that it never waits for this process


@dataclass(frozen=True, slots=True)
class FileReader:
    """Where files are and who parses them. ``known`` tells which contents need no parse; None: parse everything."""

    root: Path
    max_bytes: int
    workers: Workers | None
    cache_path: Path | None
    known: IsKnown | None

    def read(
        self, files: Sequence[CrawledFile], *, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[CrawledFile, ScanResult]]:
        """Yield each file with what was found in it, until ``cancelled()``."""
        if self.workers and self.workers.usable and sum(file.size for file in files) > WORTH_A_WORKER_BYTES:
            yield from self._in_workers(self.workers, files, cancelled)
            return
        for file in files:
            if cancelled():
                return
            yield file, self.here(file.path)

    def here(self, path: str) -> ScanResult:
        """Read and parse one file in this process."""
        return scan_file(self.root, path, max_bytes=self.max_bytes, known=self.known or nothing_known)

    def _in_workers(
        self, workers: Workers, files: Sequence[CrawledFile], cancelled: Callable[[], bool]
    ) -> Iterator[tuple[CrawledFile, ScanResult]]:
        slices = deque(_slices(files))
        done: queue.SimpleQueue[tuple[list[CrawledFile], Future[JobResult]]] = queue.SimpleQueue()
        ahead = 0
        while (slices or ahead) and not cancelled():
            while slices and ahead < SLICES_AHEAD * workers.count:
                batch = slices.popleft()
                workers.submit(self._job(batch)).add_done_callback(partial(_hand_over, done, batch))
                ahead += 1
            batch, future = done.get()
            ahead -= 1
            answer = None if future.cancelled() or future.exception() else future.result()
            if answer and not answer.fault:
                yield from zip(batch, answer.files, strict=True)
            elif len(batch) > 1:
                slices.extend([file] for file in batch)  # one of them is to blame; the others are read
            elif workers.usable:
                yield batch[0], self._plain(batch[0].path)
            else:
                yield batch[0], self.here(batch[0].path)

    def _job(self, batch: Sequence[CrawledFile]) -> ScanFiles:
        cache_path = str(self.cache_path) if self.cache_path and self.known else None
        return ScanFiles(str(self.root), tuple(file.path for file in batch), self.max_bytes, cache_path)

    def _plain(self, path: str) -> ScanResult:
        """Take a file that no worker survives as text without symbols."""
        text = read_source(self.root, path, max_bytes=self.max_bytes)
        if isinstance(text, Skipped):
            return ScanResult(path, text.reason)
        return scan_result(path, content_hash(text), NO_ROWS)


def _hand_over(
    done: "queue.SimpleQueue[tuple[list[CrawledFile], Future[JobResult]]]",
    batch: list[CrawledFile],
    future: Future[JobResult],
) -> None:
    done.put((batch, future))


def _slices(files: Sequence[CrawledFile]) -> Iterator[list[CrawledFile]]:
    batch: list[CrawledFile] = []
    size = 0
    for file in files:
        if batch and (len(batch) == SLICE_FILES or size + file.size > SLICE_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch
