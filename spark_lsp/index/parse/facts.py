"""File facts: the symbols and words of one content, how they are extracted and how they are stored.

Pure but for ``scan_file``, which reads files. Never fails because of a file: what cannot be read has a reason.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from spark_lsp.index.parse.symbols import EMPTY, DefinitionRow, FileSymbols, ImportRow, ParsedText, of_rows, rows_of
from spark_lsp.index.parse.windows import NO_WORDS, FileWords, WordInput, words_of_all
from spark_lsp.index.scan.crawl import Skipped, read_sources
from spark_lsp.index.scan.ignore import SkipReason
from spark_lsp.secret_text import values_masked
from spark_lsp.text.language import language_of_path
from spark_lsp.text.snapshot import content_hash
from spark_lsp.text.syntax import parse

PLAIN_TEXT = "text"  # the ``language`` of files of no known one


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is kept of one content in one language."""

    symbols: FileSymbols
    words: FileWords


class FactRows(msgspec.Struct, array_like=True, frozen=True):
    """``FileFacts`` as they are found and stored: plain values, from which tables are built directly."""

    definitions: list[DefinitionRow]
    imports: list[ImportRow]
    words: FileWords


NO_FILE_FACTS = FileFacts(EMPTY, NO_WORDS)
NO_ROWS = FactRows([], [], NO_WORDS)


class ScanResult(msgspec.Struct, array_like=True, frozen=True):
    """One file that was read: why it is left out, or the name of its content and what was found in it.

    ``payload`` holds what was found, for ``unpacked`` to read; it is empty where that was not asked for, being known.
    """

    path: str
    reason: SkipReason | None = None
    content_hash: str = ""
    language: str = PLAIN_TEXT
    payload: bytes = b""
    definitions: int = 0
    uses: int = 0


_decoder = msgspec.msgpack.Decoder(FactRows)
_encoder = msgspec.msgpack.Encoder()


def language_name(path: str) -> str:
    """Return the name of a path's language, ``text`` for none that is known."""
    language = language_of_path(path)
    return language.name if language else PLAIN_TEXT


def packed_of(path: str, text: str) -> FactRows:
    """Parse one text."""
    return packed_of_all([(path, text)])[0]


def packed_of_all(texts: Iterable[tuple[str, str]]) -> list[FactRows]:
    """Parse texts, each with its path. Plain text has no symbols, and its words would only dilute those of code."""
    rows = [_rows_of(path, text) for path, text in texts]
    words = iter(words_of_all([row.wanted for row in rows if row]))
    return [FactRows(row.definitions, row.imports, next(words)) if row else NO_ROWS for row in rows]


def _rows_of(path: str, text: str) -> ParsedText | None:
    language = language_of_path(path)
    if language is None:
        return None
    text = values_masked(text)  # of the same length: no password is a word of the index
    syntax = parse(language, text)
    if syntax is None:  # too large to parse; its words are known all the same
        source = text.encode("utf-8", "replace")
        return ParsedText([], [], WordInput(source, b" " * len(source)))
    return rows_of(syntax)


def file_facts(path: str, text: str) -> FileFacts:
    """Parse one text for questions about it."""
    return _facts(packed_of(path, text))


IsKnown = Callable[[str, str], bool]
"""Whether the facts of a content hash in a language are stored already."""


def nothing_known(_name: str, _language: str) -> bool:
    """Let every file be parsed."""
    return False


def scan_file(root: Path, path: str, *, max_bytes: int, known: IsKnown) -> ScanResult:
    """Read one file and find its facts, unless they are ``known``."""
    return scan_files(root, [path], max_bytes=max_bytes, known=known)[0]


def scan_files(root: Path, paths: Sequence[str], *, max_bytes: int, known: IsKnown) -> list[ScanResult]:
    """Read a few files and find their facts, unless they are ``known``."""
    result: list[ScanResult] = []
    new: list[tuple[int, str, str]] = []
    for path, text in zip(paths, read_sources(root, paths, max_bytes=max_bytes), strict=True):
        if isinstance(text, Skipped):
            result.append(ScanResult(path, text.reason))
            continue
        name, language = content_hash(text), language_name(path)
        if not known(name, language):
            new.append((len(result), path, text))
        result.append(ScanResult(path, None, name, language))
    all_rows = packed_of_all((path, text) for _, path, text in new)
    for (number, path, _), rows_found in zip(new, all_rows, strict=True):
        result[number] = scan_result(path, result[number].content_hash, rows_found)
    return result


def scan_result(path: str, name: str, rows: FactRows) -> ScanResult:
    """Return what was found in a content as it travels and as it is kept."""
    uses = int(np.frombuffer(rows.words.counts, np.uint32).sum())
    return ScanResult(path, None, name, language_name(path), _encoder.encode(rows), len(rows.definitions), uses)


def unpacked(raw: bytes) -> FactRows:
    """Return what the payload of ``scan_result`` holds.

    Raises:
        msgspec.MsgspecError: these bytes hold something else.
    """
    return _decoder.decode(raw)


def decoded(raw: bytes) -> FileFacts:
    """Return the facts that a payload holds.

    Raises:
        msgspec.MsgspecError, ValueError: these bytes hold something else.
    """
    return _facts(unpacked(raw))


def packed(facts: FileFacts) -> FactRows:
    """Return facts as they are stored."""
    symbols = facts.symbols
    return FactRows(
        [(d.name, d.kind, d.span.start, d.span.end, d.signature_span.end, d.container) for d in symbols.definitions],
        [(statement.module, statement.names) for statement in symbols.imports],
        facts.words,
    )


def _facts(rows: FactRows) -> FileFacts:
    return FileFacts(of_rows(rows.definitions, rows.imports, rows.words), rows.words)
