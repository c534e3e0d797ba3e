"""An open document at one version, and its line table. Frozen: a request works on the Snapshot that it took first.

Never holds LSP positions; ``server/convert.py`` turns them into offsets with the line table.
"""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np

from spark_lsp.text.edit import Span

_LINE_FEED = ord("\n")
_LINE_END = re.compile(r"\r\n|\n|\r")  # LSP 3.18: these three and no others end a line


def content_hash(text: str) -> str:
    """Return 32 hexadecimal digits that name a text (BLAKE2b, 16 bytes)."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def with_line_feeds(text: str) -> str:
    """Return a text whose lines end in line feeds, whatever they ended in."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def notebook_of(uri: str) -> Path | None:
    """Return the notebook's file of a cell, by the URI that VS Code gives to it; None for any other document."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme == "vscode-notebook-cell" and parts.path else None


@dataclass(frozen=True, slots=True)
class LineTable:
    """Where each line of a text starts and where its content ends (before the line ending)."""

    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, text: str) -> "LineTable":
        """Build the table in one pass over the text."""
        if "\r" not in text:
            points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
            breaks = np.flatnonzero(points == _LINE_FEED)
            return cls([0, *(breaks + 1).tolist()], [*breaks.tolist(), len(text)])
        starts, ends = [0], []
        for match in _LINE_END.finditer(text):
            ends.append(match.start())
            starts.append(match.end())
        return cls(starts, [*ends, len(text)])

    def __len__(self) -> int:
        return len(self.starts)

    def line_of(self, offset: int) -> int:
        """Return the 0-based line of an offset."""
        return max(0, bisect_right(self.starts, offset) - 1)

    def span(self, line: int) -> Span:
        """Return the span of a line's content, its line ending excluded."""
        return Span(self.starts[line], self.ends[line])


@dataclass(frozen=True)
class Snapshot:
    """One document at one version.

    ``path`` is absolute; a document without a file (untitled) has ``path`` None.
    ``language`` is a key of ``text.language.LANGUAGES`` or any other client language id.
    """

    uri: str
    path: Path | None
    version: int
    language: str
    text: str

    @cached_property
    def lines(self) -> LineTable:
        """The line table, built on first use."""
        return LineTable.of(self.text)

    @cached_property
    def content_hash(self) -> str:
        """The name of this text, see ``content_hash``."""
        return content_hash(self.text)
