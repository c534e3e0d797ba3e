"""The facts of all files at one moment as flat arrays: the files, their definitions, and the uses of each word.

Immutable. Built from file facts in one go, in a worker process where there is one; ``view.py`` overlays changed files.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
import numpy.typing as npt

from spark_lsp.index.parse.facts import FactRows
from spark_lsp.index.parse.symbols import KINDS, Definition
from spark_lsp.index.parse.windows import FileWords
from spark_lsp.index.storage.postings import Ints, Postings, build_postings
from spark_lsp.index.storage.string_table import StringTable
from spark_lsp.text.edit import Span

Longs = npt.NDArray[np.int64]

_KIND_NUMBERS: dict[str, int] = {kind: number for number, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file as the tables know it."""

    path: str
    content_hash: str
    language: str
    size: int
    mtime_ns: int
    definitions: int
    uses: int


@dataclass(frozen=True, slots=True)
class FileColumns:
    """The files in order of path, column by column."""

    paths: tuple[str, ...]
    content_hashes: bytes
    """Of each file the same number of ASCII characters."""
    languages: tuple[str, ...]
    language_of: Ints
    sizes: Longs
    mtimes_ns: Longs
    definitions: Ints
    uses: Ints

    def rows(self) -> Iterator[FileRow]:
        """Yield the files one by one."""
        if not self.paths:
            return
        width = len(self.content_hashes) // len(self.paths)
        hashes = self.content_hashes.decode("ascii")
        columns = zip(
            self.paths,
            self.language_of.tolist(),
            self.sizes.tolist(),
            self.mtimes_ns.tolist(),
            self.definitions.tolist(),
            self.uses.tolist(),
            strict=True,
        )
        for number, (path, language, size, mtime_ns, definitions, uses) in enumerate(columns):
            name = hashes[number * width : (number + 1) * width]
            yield FileRow(path, name, self.languages[language], size, mtime_ns, definitions, uses)


@dataclass(frozen=True, slots=True)
class DefinitionColumns:
    """All definitions, ordered by name, then file, then start; name ``n`` has the rows ``ends[n] : ends[n + 1]``."""

    names: StringTable
    containers: StringTable
    ends: Longs
    file: Ints
    kind: npt.NDArray[np.uint8]
    start: Ints
    end: Ints
    signature_end: Ints
    container: Ints

    def rows(self, name: str) -> range:
        """Return the rows of a name, none for one that no file defines."""
        number = self.names.find(name)
        return range(int(self.ends[number]), int(self.ends[number + 1])) if number >= 0 else range(0)

    def definition(self, row: int, name: str) -> Definition:
        """Return one definition."""
        start = int(self.start[row])
        return Definition(
            name,
            KINDS[self.kind[row]],
            Span(start, int(self.end[row])),
            Span(start, int(self.signature_end[row])),
            self.containers[int(self.container[row])],
        )


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything that was built at one time."""

    files: FileColumns
    definitions: DefinitionColumns
    postings: Postings


def build_tables(files: Iterable[tuple[FileRow, FactRows]]) -> Tables:
    """Lay out the tables of files given in order of path."""
    rows: list[FileRow] = []
    definitions = _Definitions()

    def streamed() -> Iterator[tuple[str, FileWords]]:
        for row, facts in files:  # facts of ten thousand files at once would fill the memory
            definitions.add(len(rows), facts)
            rows.append(row)
            yield row.path, facts.words

    postings = build_postings(streamed(), definitions.names)  # the names are complete when the files are through
    return Tables(_file_columns(rows), definitions.columns(), postings)


def _file_columns(rows: list[FileRow]) -> FileColumns:
    languages = {name: number for number, name in enumerate(sorted({row.language for row in rows}))}
    return FileColumns(
        tuple(row.path for row in rows),
        "".join(row.content_hash for row in rows).encode("ascii"),
        tuple(languages),
        np.array([languages[row.language] for row in rows], np.int32),
        np.array([row.size for row in rows], np.int64),
        np.array([row.mtime_ns for row in rows], np.int64),
        np.array([row.definitions for row in rows], np.int32),
        np.array([row.uses for row in rows], np.int32),
    )


class _Definitions:
    """Definitions as they come, column by column."""

    def __init__(self) -> None:
        self.names: defaultdict[str, int] = defaultdict(count().__next__)
        self._containers: defaultdict[str, int] = defaultdict(count(1).__next__, {"": 0})
        self._rows: list[tuple[int, int, int, int, int, int, int]] = []

    def add(self, file: int, rows: FactRows) -> None:
        names, containers, kinds = self.names, self._containers, _KIND_NUMBERS
        self._rows += [
            (names[name], file, kinds[kind], start, end, signature_end, containers[container])
            for name, kind, start, end, signature_end, container in rows.definitions
        ]

    def columns(self) -> DefinitionColumns:
        values = np.fromiter(chain.from_iterable(self._rows), np.int32, 7 * len(self._rows))
        table = values.reshape(-1, 7)
        table = table[np.argsort(table[:, 0], kind="stable")]  # files came in order, and their definitions too
        name, file, kind, start, end, signature_end, container = (np.ascontiguousarray(column) for column in table.T)
        ends = np.zeros(len(self.names) + 1, np.int64)
        np.cumsum(np.bincount(name, minlength=len(self.names)), out=ends[1:])
        return DefinitionColumns(
            StringTable.of(self.names),
            StringTable.of(self._containers),
            ends,
            file,
            kind.astype(np.uint8),
            start,
            end,
            signature_end,
            container,
        )
