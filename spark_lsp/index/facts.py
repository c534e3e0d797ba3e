"""What is kept of one content: its symbols and its words, how they are found, and how they are written down.

Pure but for ``look_at``, which reads one file. Never fails because of a file: what cannot be read has a reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from spark_lsp.index.crawl import Skipped, read_source
from spark_lsp.index.ignore import SkipReason
from spark_lsp.index.symbols import EMPTY, Definition, FileSymbols, Import, extract
from spark_lsp.index.windows import NO_WINDOWS, WordWindows, word_windows
from spark_lsp.text.document import content_hash
from spark_lsp.text.edit import Span
from spark_lsp.text.language import language_of_path

PLAIN_TEXT = "text"  # the ``language`` of files of no known one


@dataclass(frozen=True, slots=True)
class Facts:
    """What is kept of one content in one language."""

    symbols: FileSymbols
    windows: WordWindows


NO_FACTS = Facts(EMPTY, NO_WINDOWS)


class Looked(msgspec.Struct, array_like=True, frozen=True):
    """One file that was read: why it is left out, or the name of its content and what was found in it.

    ``payload`` holds facts as ``encoded`` writes them; it is empty where they were not asked for, since they are known.
    """

    path: str
    reason: SkipReason | None = None
    content_hash: str = ""
    language: str = PLAIN_TEXT
    payload: bytes = b""
    definitions: int = 0
    uses: int = 0


class _Payload(msgspec.Struct, array_like=True, frozen=True):
    """``Facts`` as they are written: a definition is name, kind, start, end, end of signature, container."""

    definitions: list[tuple[str, str, int, int, int, str]]
    references: dict[str, int]
    imports: list[tuple[str, tuple[str, ...]]]
    words: tuple[str, ...]
    sizes: bytes
    members: bytes


_decoder = msgspec.msgpack.Decoder(_Payload)
_encoder = msgspec.msgpack.Encoder()


def language_name(path: str) -> str:
    """Return the name of a path's language, ``text`` for none that is known."""
    language = language_of_path(path)
    return language.name if language else PLAIN_TEXT


def facts_of(path: str, text: str) -> Facts:
    """Parse one text. Plain text has no symbols, and its words would only dilute those of code."""
    language = language_of_path(path)
    if language is None:
        return NO_FACTS
    return Facts(extract(language, text), word_windows(text.encode("utf-8", "replace")))


IsKnown = Callable[[str, str], bool]
"""Whether the facts of a content hash in a language are kept already."""


def nothing_known(_name: str, _language: str) -> bool:
    """Let every file be parsed."""
    return False


def look_at(root: Path, path: str, *, max_bytes: int, known: IsKnown) -> Looked:
    """Read one file and find its facts, unless they are ``known``."""
    text = read_source(root, path, max_bytes=max_bytes)
    if isinstance(text, Skipped):
        return Looked(path, text.reason)
    name, language = content_hash(text), language_name(path)
    if known(name, language):
        return Looked(path, None, name, language)
    return looked_of(path, name, facts_of(path, text))


def looked_of(path: str, name: str, facts: Facts) -> Looked:
    """Return facts of a content as they travel and as they are kept."""
    symbols = facts.symbols
    return Looked(
        path,
        None,
        name,
        language_name(path),
        encoded(facts),
        len(symbols.definitions),
        sum(symbols.references.values()),
    )


def encoded(facts: Facts) -> bytes:
    """Return facts as bytes."""
    symbols, windows = facts.symbols, facts.windows
    payload = _Payload(
        [(d.name, d.kind, d.span.start, d.span.end, d.signature_span.end, d.container) for d in symbols.definitions],
        dict(symbols.references),
        [(each.module, each.names) for each in symbols.imports],
        windows.words,
        windows.sizes,
        windows.members,
    )
    return _encoder.encode(payload)


def decoded(raw: bytes) -> Facts:
    """Return the facts that ``encoded`` wrote.

    Raises:
        msgspec.MsgspecError, ValueError: these bytes are nothing of ours.
    """
    payload = _decoder.decode(raw)
    definitions = tuple(
        Definition(name, kind, Span(start, end), Span(start, signature_end), container)  # type: ignore[arg-type]
        for name, kind, start, end, signature_end, container in payload.definitions
    )
    imports = tuple(Import(module, names) for module, names in payload.imports)
    windows = WordWindows(payload.words, payload.sizes, payload.members)
    return Facts(FileSymbols(definitions, payload.references, imports), windows)
