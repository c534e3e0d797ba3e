"""Keep symbols between sessions in one SQLite file per workspace, by content hash. Two processes may share it.

Never the only copy of anything: whatever goes wrong here costs a parse and at most one message, never an answer.
It holds names, spans and words of indexed files, so the file is the user's alone.
"""

import contextlib
import hashlib
import os
import secrets
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import msgspec

from spark_lsp import __version__
from spark_lsp.index.parse.facts import FileFacts, ScanResult, decoded
from spark_lsp.index.scan.ignore import SkipReason
from spark_lsp.index.storage import mapped_file
from spark_lsp.index.storage.tables import FileRow, Tables
from spark_lsp.text.language import LANGUAGES, query_source

SCHEMA_VERSION = 2
APPLICATION_ID = 0x5350494E  # "SPIN" in SQLite's header: another program's file is not ours to read
BUSY_TIMEOUT_S = 2.0
PAGE_BYTES = 16_384  # what is kept of a file takes 3 KB: writing takes two thirds of the time of the usual 4 KB pages

DECIDING_MODULES = (
    *("scan/crawl.py", "scan/secrets.py", "../secret_text.py"),
    *("parse/symbols.py", "parse/words.py", "parse/windows.py", "parse/facts.py"),
    *("storage/tables.py", "storage/postings.py", "storage/mapped_file.py"),
)
"""Modules of the index that decide what is kept: another version of one of them makes a cache file useless."""

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, content_hash TEXT,
    language TEXT) STRICT;
CREATE TABLE IF NOT EXISTS left_out (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, reason TEXT) STRICT;
CREATE TABLE IF NOT EXISTS symbols (content_hash TEXT, language TEXT, definitions INTEGER, uses INTEGER, payload BLOB,
    PRIMARY KEY (content_hash, language)) STRICT;
"""


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that was read and left out for what it holds; it need not be read again while it looks the same."""

    path: str
    size: int
    mtime_ns: int
    reason: SkipReason


class SymbolCache:
    """One open cache file. Calls may come from any thread; each takes the lock."""

    def __init__(self, path: Path, *, say: Callable[[str], None]) -> None:
        self._path = path
        self._say = say
        self._lock = threading.Lock()
        self._connection = self._open()

    @property
    def path(self) -> Path:
        """The path of the cache file."""
        return self._path

    def rows(self) -> dict[str, FileRow]:
        """Return the files whose facts are kept, by path, as they were when their content was last hashed."""

        def work(connection: sqlite3.Connection) -> dict[str, FileRow]:
            rows = connection.execute(
                "SELECT path, content_hash, files.language, size, mtime_ns, definitions, uses FROM files "
                "JOIN symbols USING (content_hash, language)"
            )
            return {row[0]: FileRow(*row) for row in rows}

        return self._run(work, {})

    def left_out(self) -> dict[str, LeftOut]:
        """Return the files that were left out for what they hold, by path."""

        def work(connection: sqlite3.Connection) -> dict[str, LeftOut]:
            rows = connection.execute("SELECT path, size, mtime_ns, reason FROM left_out")
            return {row[0]: LeftOut(*row) for row in rows}

        return self._run(work, {})

    def keep_left_out(self, files: Iterable[LeftOut]) -> None:
        """Write down which files were left out for what they hold."""
        rows = [(file.path, file.size, file.mtime_ns, file.reason) for file in files]

        def work(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO left_out VALUES (?, ?, ?, ?)", rows)

        if rows:
            self._run(work, None)

    def facts(self, content_hash: str, language: str) -> FileFacts | None:
        """Return the facts of a content, or None when they are not kept."""

        def work(connection: sqlite3.Connection) -> FileFacts | None:
            row = connection.execute(
                "SELECT payload FROM symbols WHERE content_hash = ? AND language = ?", (content_hash, language)
            ).fetchone()
            return decoded(row[0]) if row else None

        return self._run(work, None)

    def counts(self, content_hash: str, language: str) -> tuple[int, int] | None:
        """Return how many definitions and uses a content holds, or None when its facts are not kept."""

        def work(connection: sqlite3.Connection) -> tuple[int, int] | None:
            row = connection.execute(
                "SELECT definitions, uses FROM symbols WHERE content_hash = ? AND language = ?",
                (content_hash, language),
            ).fetchone()
            return (row[0], row[1]) if row else None

        return self._run(work, None)

    def keep(self, files: Iterable[FileRow], facts: Iterable[ScanResult]) -> bool:
        """Write files, and facts of contents, in one transaction; False when they could not be written."""
        rows = [(file.path, file.size, file.mtime_ns, file.content_hash, file.language) for file in files]
        payloads = [
            (result.content_hash, result.language, result.definitions, result.uses, result.payload) for result in facts
        ]

        def work(connection: sqlite3.Connection) -> bool:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", rows)
                connection.executemany("INSERT OR REPLACE INTO symbols VALUES (?, ?, ?, ?, ?)", payloads)
            return True

        return self._run(work, False)

    def tables(self) -> Tables | None:
        """Return the tables that were built last, mapped into memory; None when there are none that fit."""

        def work(connection: sqlite3.Connection) -> str:
            row = connection.execute("SELECT value FROM meta WHERE key = 'tables'").fetchone()
            return row[0] if row else ""

        name = self._run(work, "")
        return mapped_file.read(self._path.with_name(name), Tables, maker=extractor_digest()) if name else None

    def new_tables_path(self) -> Path:
        """Return a name for tables to come; a file that is mapped into memory cannot be overwritten on every system."""
        return self._path.with_name(f"{self._path.stem}.{secrets.token_hex(6)}.tables")

    def put_tables(self, path: Path) -> None:
        """Let tables just written be found, and throw away those before."""

        def work(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute("INSERT OR REPLACE INTO meta VALUES ('tables', ?)", (path.name,))

        self._run(work, None)
        for other_path in self._path.parent.glob(f"{self._path.stem}.*.tables*"):
            if other_path != path:
                with contextlib.suppress(OSError):  # another window may have it open
                    other_path.unlink()

    def drop(self, paths: Iterable[str]) -> None:
        """Forget files, and facts that no file needs any more."""
        rows = [(path,) for path in paths]

        def work(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("DELETE FROM files WHERE path = ?", rows)
                connection.executemany("DELETE FROM left_out WHERE path = ?", rows)
                connection.execute(
                    "DELETE FROM symbols WHERE NOT EXISTS (SELECT 1 FROM files "
                    "WHERE files.content_hash = symbols.content_hash AND files.language = symbols.language)"
                )

        if rows:
            self._run(work, None)

    def clear(self) -> None:
        """Forget everything."""
        self._run(_clear, None)

    def close(self) -> None:
        """Close the file; later calls find nothing and keep nothing."""
        with self._lock:
            self._disconnect()

    def _run(self, work: Callable[[sqlite3.Connection], Result], otherwise: Result) -> Result:
        """Do some work on the connection. A locked file is left for next time; a broken one is not used again."""
        with self._lock:
            if self._connection is None:
                return otherwise
            try:
                return work(self._connection)
            except sqlite3.OperationalError:
                return otherwise  # locked by another process, or the disk is full: this once without the cache
            except (sqlite3.DatabaseError, msgspec.MsgspecError, ValueError) as error:
                self._disconnect()
                self._unlink()
                self._say(f"The index cache {self._path} is damaged ({error}) and will be rebuilt at the next start.")
                return otherwise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _open(self) -> sqlite3.Connection | None:
        """Open the file, or put a new one in the place of one that cannot be ours."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection, fault = self._connect()
            if connection is None:
                self._say(f"The index cache {self._path} was not usable ({fault}) and is rebuilt.")
                self._unlink()
                connection, _ = self._connect()
        except (OSError, sqlite3.Error) as error:
            self._say(f"The index cache {self._path} cannot be used ({error}); the index works without it.")
            return None
        return connection

    def _connect(self) -> tuple[sqlite3.Connection | None, str]:
        """Return a connection, or None and what is wrong with the file.

        Raises:
            OSError: the file can be neither read nor made.
            sqlite3.OperationalError: the file is locked for longer than anybody needs.
        """
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        try:
            fault = _claim(connection)
        except sqlite3.OperationalError:
            connection.close()
            raise
        except sqlite3.DatabaseError as error:
            fault = str(error)
        if fault:
            connection.close()
            return None, fault
        return connection, ""

    def _unlink(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                Path(f"{self._path}{suffix}").unlink()


def _claim(connection: sqlite3.Connection) -> str:
    """Make an empty file ours; return what is wrong with one that another program or another version wrote."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        return "it belongs to another program"
    if tables and version != SCHEMA_VERSION:
        return f"its schema is {version}, not {SCHEMA_VERSION}"
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file alone
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if not tables:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.executescript(_TABLES)
    maker = extractor_digest()
    row = connection.execute("SELECT value FROM meta WHERE key = 'extractor'").fetchone()
    if row is None or row[0] != maker:  # the same text would yield other symbols by now
        _clear(connection)
        with connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('extractor', ?)", (maker,))
    return ""


def _clear(connection: sqlite3.Connection) -> None:
    with connection:
        connection.execute("DELETE FROM files")
        connection.execute("DELETE FROM symbols")
        connection.execute("DELETE FROM left_out")
        connection.execute("DELETE FROM meta WHERE key = 'tables'")


def read_only(path: Path) -> sqlite3.Connection | None:
    """Open a cache file beside the process that writes it; None when it cannot be opened."""
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
    except sqlite3.Error:
        return None


@cache
def extractor_digest() -> str:
    """Name the version of everything that decides what a text's symbols are and how tables are built."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=16)
    for language in LANGUAGES.values():
        digest.update(query_source(language).encode())
    for name in DECIDING_MODULES:
        with contextlib.suppress(OSError):  # no sources: then the version alone has to tell
            digest.update((files("spark_lsp.index") / name).read_bytes())
    digest.update(sys.byteorder.encode())
    return digest.hexdigest()
