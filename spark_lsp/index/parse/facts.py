"""What is kept of one content: its symbols and its words, how they are found, and how they are written down.

Pure but for ``look_at``, which reads files. Never fails because of a file: what cannot be read has a reason.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from spark_lsp.index.parse.symbols import EMPTY, DefinitionRow, FileSymbols, ImportRow, Rows, of_rows, rows_of
from spark_lsp.index.parse.windows import NO_WORDS, FileWords, Wanted, words_of_all
from spark_lsp.index.scan.crawl import Skipped, read_sources
from spark_lsp.index.scan.ignore import SkipReason
from spark_lsp.text.document import content_hash
from spark_lsp.text.language import language_of_path
from spark_lsp.text.syntax import parse

PLAIN_TEXT = "text"  # the ``language`` of files of no known one


@dataclass(frozen=True, slots=True)
class Facts:
    """What is kept of one content in one language."""

    symbols: FileSymbols
    words: FileWords


class Packed(msgspec.Struct, array_like=True, frozen=True):
    """``Facts`` as they are found and written down: plain values, of which tables can be laid out at once."""

    definitions: list[DefinitionRow]
    imports: list[ImportRow]
    words: FileWords


NO_FACTS = Facts(EMPTY, NO_WORDS)
NOTHING = Packed([], [], NO_WORDS)


class Looked(msgspec.Struct, array_like=True, frozen=True):
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


_decoder = msgspec.msgpack.Decoder(Packed)
_encoder = msgspec.msgpack.Encoder()


def language_name(path: str) -> str:
    """Return the name of a path's language, ``text`` for none that is known."""
    language = language_of_path(path)
    return language.name if language else PLAIN_TEXT


def packed_of(path: str, text: str) -> Packed:
    """Parse one text."""
    return packed_of_all([(path, text)])[0]


def packed_of_all(texts: Iterable[tuple[str, str]]) -> list[Packed]:
    """Parse texts, each with its path. Plain text has no symbols, and its words would only dilute those of code."""
    rows = [_rows_of(path, text) for path, text in texts]
    words = iter(words_of_all([each.wanted for each in rows if each]))
    return [Packed(each.definitions, each.imports, next(words)) if each else NOTHING for each in rows]


def _rows_of(path: str, text: str) -> Rows | None:
    language = language_of_path(path)
    if language is None:
        return None
    syntax = parse(language, text)
    if syntax is None:  # too large to parse; its words are known all the same
        source = text.encode("utf-8", "replace")
        return Rows([], [], Wanted(source, b" " * len(source)))
    return rows_of(syntax)


def facts_of(path: str, text: str) -> Facts:
    """Parse one text for questions about it."""
    return _facts(packed_of(path, text))


IsKnown = Callable[[str, str], bool]
"""Whether the facts of a content hash in a language are kept already."""


def nothing_known(_name: str, _language: str) -> bool:
    """Let every file be parsed."""
    return False


def look_at(root: Path, path: str, *, max_bytes: int, known: IsKnown) -> Looked:
    """Read one file and find its facts, unless they are ``known``."""
    return look_at_all(root, [path], max_bytes=max_bytes, known=known)[0]


def look_at_all(root: Path, paths: Sequence[str], *, max_bytes: int, known: IsKnown) -> list[Looked]:
    """Read a few files and find their facts, unless they are ``known``."""
    looked: list[Looked] = []
    new: list[tuple[int, str, str]] = []
    for path, text in zip(paths, read_sources(root, paths, max_bytes=max_bytes), strict=True):
        if isinstance(text, Skipped):
            looked.append(Looked(path, text.reason))
            continue
        name, language = content_hash(text), language_name(path)
        if not known(name, language):
            new.append((len(looked), path, text))
        looked.append(Looked(path, None, name, language))
    found = packed_of_all((path, text) for _, path, text in new)
    for (number, path, _), each in zip(new, found, strict=True):
        looked[number] = looked_of(path, looked[number].content_hash, each)
    return looked


def looked_of(path: str, name: str, found: Packed) -> Looked:
    """Return what was found in a content as it travels and as it is kept."""
    uses = int(np.frombuffer(found.words.counts, np.uint32).sum())
    return Looked(path, None, name, language_name(path), _encoder.encode(found), len(found.definitions), uses)


def unpacked(raw: bytes) -> Packed:
    """Return what the payload of ``looked_of`` holds.

    Raises:
        msgspec.MsgspecError: these bytes are nothing of ours.
    """
    return _decoder.decode(raw)


def decoded(raw: bytes) -> Facts:
    """Return the facts that a payload holds.

    Raises:
        msgspec.MsgspecError, ValueError: these bytes are nothing of ours.
    """
    return _facts(unpacked(raw))


def packed(facts: Facts) -> Packed:
    """Return facts as they are written down."""
    symbols = facts.symbols
    return Packed(
        [(d.name, d.kind, d.span.start, d.span.end, d.signature_span.end, d.container) for d in symbols.definitions],
        [(each.module, each.names) for each in symbols.imports],
        facts.words,
    )


def _facts(found: Packed) -> Facts:
    return Facts(of_rows(found.definitions, found.imports, found.words), found.words)
