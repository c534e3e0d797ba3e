"""Symbols kept between sessions in one SQLite file per workspace, found by content hash. Two processes may share it.

Never the only copy of anything: whatever goes wrong here costs a parse and at most one message, never an answer.
It holds names, spans and words of indexed files, so the file is the user's alone.
"""

import contextlib
import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from spark_lsp import __version__
from spark_lsp.index.symbols import Definition, FileSymbols, Import
from spark_lsp.index.windows import WordWindows
from spark_lsp.text.edit import Span
from spark_lsp.text.language import LANGUAGES, query_source

SCHEMA_VERSION = 1
APPLICATION_ID = 0x5350494E  # "SPIN" in SQLite's header: another program's file is not ours to read
BUSY_TIMEOUT_S = 2.0

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, content_hash TEXT) STRICT;
CREATE TABLE IF NOT EXISTS symbols (content_hash TEXT, language TEXT, payload BLOB,
    PRIMARY KEY (content_hash, language)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What a file looked like when its content was last hashed."""

    size: int
    mtime_ns: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is kept of one content in one language."""

    symbols: FileSymbols
    windows: WordWindows


class _Payload(msgspec.Struct, array_like=True, frozen=True):
    """``Facts`` as they are written: a definition is name, kind, span, end of signature, container."""

    definitions: list[tuple[str, str, int, int, int, str]]
    references: dict[str, int]
    imports: list[tuple[str, tuple[str, ...]]]
    words: tuple[str, ...]
    sizes: bytes
    members: bytes


Result = TypeVar("Result")

_decoder = msgspec.msgpack.Decoder(_Payload)


class SymbolCache:
    """One open cache file. Calls may come from any thread; each takes the lock."""

    def __init__(self, path: Path, *, say: Callable[[str], None]) -> None:
        self._path = path
        self._say = say
        self._lock = threading.Lock()
        self._connection = self._open()

    def stamps(self) -> dict[str, FileStamp]:
        """Return what is known of files by path."""

        def work(connection: sqlite3.Connection) -> dict[str, FileStamp]:
            rows = connection.execute("SELECT path, size, mtime_ns, content_hash FROM files")
            return {path: FileStamp(size, mtime_ns, name) for path, size, mtime_ns, name in rows}

        return self._run(work, {})

    def facts(self, content_hash: str, language: str) -> Facts | None:
        """Return the facts of a content, or None when they are not kept."""

        def work(connection: sqlite3.Connection) -> Facts | None:
            row = connection.execute(
                "SELECT payload FROM symbols WHERE content_hash = ? AND language = ?", (content_hash, language)
            ).fetchone()
            return _decoded(row[0]) if row else None

        return self._run(work, None)

    def keep(self, files: Mapping[str, FileStamp], facts: Iterable[tuple[str, str, Facts]]) -> None:
        """Write stamps by path, and facts with their content hash and language, in one transaction."""
        rows = [(path, stamp.size, stamp.mtime_ns, stamp.content_hash) for path, stamp in files.items()]
        payloads = [(content_hash, language, _encoded(each)) for content_hash, language, each in facts]

        def work(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)
                connection.executemany("INSERT OR REPLACE INTO symbols VALUES (?, ?, ?)", payloads)

        self._run(work, None)

    def drop(self, paths: Iterable[str]) -> None:
        """Forget files, and facts that no file needs any more."""
        rows = [(path,) for path in paths]

        def work(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("DELETE FROM files WHERE path = ?", rows)
                connection.execute("DELETE FROM symbols WHERE content_hash NOT IN (SELECT content_hash FROM files)")

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
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if not tables:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.executescript(_TABLES)
    maker = _extractor_digest()
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


def _extractor_digest() -> str:
    """Name the version of everything that decides what a text's symbols are."""
    sources = "\0".join([__version__, *(query_source(language) for language in LANGUAGES.values())])
    return hashlib.blake2b(sources.encode(), digest_size=16).hexdigest()


def _encoded(facts: Facts) -> bytes:
    symbols, windows = facts.symbols, facts.windows
    payload = _Payload(
        [(d.name, d.kind, d.span.start, d.span.end, d.signature_span.end, d.container) for d in symbols.definitions],
        dict(symbols.references),
        [(each.module, each.names) for each in symbols.imports],
        windows.words,
        windows.sizes,
        windows.members,
    )
    return msgspec.msgpack.encode(payload)


def _decoded(raw: bytes) -> Facts:
    payload = _decoder.decode(raw)
    definitions = tuple(
        Definition(name, kind, Span(start, end), Span(start, signature_end), container)  # type: ignore[arg-type]
        for name, kind, start, end, signature_end, container in payload.definitions
    )
    imports = tuple(Import(module, names) for module, names in payload.imports)
    windows = WordWindows(payload.words, payload.sizes, payload.members)
    return Facts(FileSymbols(definitions, payload.references, imports), windows)
