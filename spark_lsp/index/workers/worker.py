"""A worker process of the index: reads and parses files, builds tables, ends with its client.

Speaks frames over its own standard streams; nothing that it prints can reach another stream. A job that takes longer
than it may ends the process, whatever it is busy with.
"""

import faulthandler
import gc
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import psutil

from spark_lsp.index.parse.facts import FactRows, IsKnown, ScanResult, packed_of, scan_files, scan_result, unpacked
from spark_lsp.index.storage.mapped_file import write
from spark_lsp.index.storage.symbol_cache import read_only
from spark_lsp.index.storage.tables import FileRow, build_tables
from spark_lsp.text.language import grammar, language_of_path
from spark_lsp.text.snapshot import content_hash

if sys.platform != "win32":
    import resource

JOB_CPU_LIMIT_S = 60  # a slice takes some ten milliseconds, tables of the largest workspace some ten seconds
JOB_LIMIT_S = 900  # where the system counts no processor time for us: a busy machine must not look like a bad file
LENGTH_BYTES = 4
FRAME_LIMIT_BYTES = 1 << 30
JOBS_PER_COLLECTION = 64


class ScanFiles(msgspec.Struct, frozen=True, tag=True):
    """Read and parse files. Contents that the cache file knows are not parsed."""

    root: str
    paths: tuple[str, ...]
    max_bytes: int
    cache_path: str | None


class ParseText(msgspec.Struct, frozen=True, tag=True):
    """Parse the text of one open document."""

    path: str
    text: str


class ParseBare(msgspec.Struct, frozen=True, tag=True):
    """Read and parse files with tree-sitter and nothing else, for comparison."""

    root: str
    paths: tuple[str, ...]


class BuildTables(msgspec.Struct, frozen=True, tag=True):
    """Build the tables of all files in the cache file and write them to a file."""

    cache_path: str
    out_path: str
    maker: str


WorkerJob = ScanFiles | ParseText | ParseBare | BuildTables


class JobResult(msgspec.Struct, frozen=True):
    """The result of a job: the scanned files, or why it failed."""

    files: tuple[ScanResult, ...] = ()
    fault: str = ""


def send(stream: BinaryIO, message: Any) -> None:
    """Write one message as a frame.

    Raises:
        OSError, ValueError: nobody reads any more.
    """
    raw = msgspec.msgpack.encode(message)
    stream.write(len(raw).to_bytes(LENGTH_BYTES, "little") + raw)
    stream.flush()


def receive(stream: BinaryIO) -> bytes:
    """Read one frame; empty when there are no more.

    Raises:
        OSError, ValueError: the stream is broken.
    """
    head = stream.read(LENGTH_BYTES)
    size = int.from_bytes(head, "little")
    if len(head) < LENGTH_BYTES or size > FRAME_LIMIT_BYTES:
        return b""
    raw = stream.read(size)
    return raw if len(raw) == size else b""


def done(job: WorkerJob) -> JobResult:
    """Do one job. Never raises: failures are part of the answer."""
    try:
        return _done(job)
    except Exception as error:  # noqa: BLE001 - a worker outlives whatever a file does to it
        return JobResult(fault=f"{type(error).__name__}: {error}")


def _done(job: WorkerJob) -> JobResult:
    if isinstance(job, ParseText):
        return JobResult((scan_result(job.path, content_hash(job.text), packed_of(job.path, job.text)),))
    if isinstance(job, BuildTables):
        tables = build_tables(_kept(Path(job.cache_path)))
        write(Path(job.out_path), tables, maker=job.maker)
        return JobResult()
    if isinstance(job, ParseBare):
        _parse_bare(job)
        return JobResult()
    known, connection = _known(job.cache_path)
    try:
        return JobResult(tuple(scan_files(Path(job.root), job.paths, max_bytes=job.max_bytes, known=known)))
    finally:
        if connection is not None:
            connection.close()


def _parse_bare(job: ParseBare) -> None:
    import tree_sitter  # noqa: PLC0415 - for measuring alone

    parsers: dict[str, tree_sitter.Parser] = {}
    for path in job.paths:
        language = language_of_path(path)
        if language is None:
            continue
        if language.name not in parsers:
            parsers[language.name] = tree_sitter.Parser(grammar(language))
        with open(f"{job.root}/{path}", "rb") as file:  # noqa: PTH123 - nothing but the parse shall take time
            parsers[language.name].parse(file.read())


def _known(cache_path: str | None) -> tuple[IsKnown, sqlite3.Connection | None]:
    """Return how to ask a cache file for what it knows."""
    connection = read_only(Path(cache_path)) if cache_path else None
    if connection is None:
        return (lambda _name, _language: False), None

    def known(name: str, language: str) -> bool:
        try:
            row = connection.execute(
                "SELECT 1 FROM symbols WHERE content_hash = ? AND language = ?", (name, language)
            ).fetchone()
        except sqlite3.Error:
            return False  # a parse more, nothing worse
        return row is not None

    return known, connection


def _kept(cache_path: Path) -> Iterator[tuple[FileRow, FactRows]]:
    """Read all files of a cache in order of path."""
    connection = read_only(cache_path)
    if connection is None:
        raise OSError(f"{cache_path} cannot be read")
    with closing(connection):
        rows = connection.execute(
            "SELECT path, content_hash, files.language, size, mtime_ns, definitions, uses, payload FROM files "
            "JOIN symbols USING (content_hash, language) ORDER BY path"  # by its bytes, as an index has it already
        )
        for *row, payload in rows:
            yield FileRow(*row), unpacked(payload)


def main() -> None:
    """Serve jobs from standard input until it ends."""
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the client, whose end is ours
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    lower_priority()
    gc.disable()  # parsing makes hundreds of thousands of objects and no cycles
    decoder = msgspec.msgpack.Decoder(WorkerJob)
    count = 0
    while raw := receive(sys.stdin.buffer):
        limit_job()
        answer = done(decoder.decode(raw))
        try:
            send(channel, answer)
        except OSError:
            break
        count += 1
        if count % JOBS_PER_COLLECTION == 0:
            gc.collect()
    os._exit(0)  # nothing needs cleaning up, and no client reads any more


def limit_job(cpu_s: float = JOB_CPU_LIMIT_S) -> None:
    """Let the system end this process if the job at hand takes too long; a parser that hangs holds every lock."""
    if sys.platform == "win32":
        faulthandler.dump_traceback_later(JOB_LIMIT_S, exit=True, file=_nowhere())
        return
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(time.process_time() + cpu_s) + 1
    soft = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, most))


@cache
def _nowhere() -> BinaryIO:
    return open(os.devnull, "wb")  # noqa: PTH123 - the name of a device, open for as long as the process


def lower_priority() -> None:
    """Give way to all other work of this machine, as far as the system lets us."""
    process = psutil.Process()
    try:
        if sys.platform == "win32":
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            process.nice(max(process.nice(), 19))
    except (psutil.Error, OSError):
        return


if __name__ == "__main__":
    main()
