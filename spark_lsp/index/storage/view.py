"""The facts of the workspace at one moment: immutable, shared by requests without locks.

A view is the tables of the last full build (``tables.py``) overlaid with the files changed since.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any, overload

import numpy as np

from spark_lsp.index.parse.facts import NO_FILE_FACTS, PLAIN_TEXT, FileFacts, packed
from spark_lsp.index.parse.symbols import KINDS, Definition, FileSymbols, SymbolKind
from spark_lsp.index.storage.layered_map import Layered
from spark_lsp.index.storage.postings import Postings
from spark_lsp.index.storage.tables import FileRow, Tables, build_tables

__all__ = ["EMPTY_VIEW", "PLAIN_TEXT", "FileEntry", "IndexView"]

DefinitionPlace = tuple[str, Definition]


def _no_facts() -> FileFacts:
    return NO_FILE_FACTS


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One indexed file. Two entries are equal when they were made from the same text under the same path."""

    path: str
    content_hash: str
    language: str
    size: int = field(default=0, compare=False)
    """Bytes on disk, or characters of an unsaved document."""
    mtime_ns: int = field(default=0, compare=False)
    """0 for an unsaved document."""
    definition_count: int = field(default=0, compare=False)
    use_count: int = field(default=0, compare=False)
    facts: Callable[[], FileFacts] = field(default=_no_facts, compare=False, repr=False)
    read: Callable[[], str] = field(default=str, compare=False, repr=False)

    @property
    def symbols(self) -> FileSymbols:
        """What the file defines, uses and imports; fetched on demand, which takes a tenth of a millisecond at worst."""
        return self.facts().symbols

    @property
    def text(self) -> str:
        """The text that the symbols' spans refer to; empty when the file has changed on disk or is gone."""
        return self.read()

    @property
    def row(self) -> FileRow:
        """The file as tables keep it."""
        return FileRow(
            self.path,
            self.content_hash,
            self.language,
            self.size,
            self.mtime_ns,
            self.definition_count,
            self.use_count,
        )


class DefinitionPlaces(Sequence[DefinitionPlace]):
    """The places that define one name, in order of path and start; a definition is created on demand."""

    __slots__ = ("_fresh", "_name", "_own", "_tables")

    def __init__(self, tables: Tables, name: str, own: Sequence[int], fresh: Sequence[DefinitionPlace]) -> None:
        self._tables = tables
        self._name = name
        self._own = own  # rows of the tables; ~n stands for the n-th place in files changed since
        self._fresh = fresh

    def _place(self, place_number: int) -> DefinitionPlace:
        if place_number < 0:
            return self._fresh[~place_number]
        columns = self._tables.definitions
        return self._tables.files.paths[columns.file[place_number]], columns.definition(place_number, self._name)

    @overload
    def __getitem__(self, number: int) -> DefinitionPlace: ...

    @overload
    def __getitem__(self, number: slice) -> list[DefinitionPlace]: ...

    def __getitem__(self, number: int | slice) -> DefinitionPlace | list[DefinitionPlace]:
        if isinstance(number, slice):
            return [self._place(place_number) for place_number in self._own[number]]
        return self._place(self._own[number])

    def __iter__(self) -> Iterator[DefinitionPlace]:
        return map(self._place, self._own)

    def __len__(self) -> int:
        return len(self._own)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def paths(self, most: int | None = None) -> list[str]:
        """Return the files alone, which costs no definitions; a file stands here once for each of its places."""
        files, paths = self._tables.definitions.file, self._tables.files.paths
        return [
            self._fresh[~place_number][0] if place_number < 0 else paths[files[place_number]]
            for place_number in self._own[:most]
        ]

    def file_count(self) -> int:
        """Return how many files there are, which costs no list of them: thousands define a name like ``get``."""
        if len(self._own) < 2:
            return len(self._own)
        if isinstance(self._own, range):
            files = self._tables.definitions.file[self._own.start : self._own.stop]
        else:
            rows = np.array(self._own)
            files = self._tables.definitions.file[rows[rows >= 0]]
        fresh = len({path for path, _ in self._fresh})
        return fresh + min(len(files), 1) + int(np.count_nonzero(files[1:] != files[:-1]))

    def kind_and_start(self, number: int) -> tuple[SymbolKind, int]:
        """Return what a place's definition is and where it starts, which costs no definition."""
        place_number = self._own[number]
        if place_number < 0:
            definition = self._fresh[~place_number][1]
            return definition.kind, definition.span.start
        columns = self._tables.definitions
        return KINDS[columns.kind[place_number]], int(columns.start[place_number])


class Defining(Mapping[str, DefinitionPlaces]):
    """Names to their places: those of the tables, without the files changed since, and those of these files."""

    __slots__ = ("_is_kept", "_stale", "_tables", "fresh", "of_path", "places")

    def __init__(
        self,
        tables: Tables,
        fresh: Mapping[str, tuple[DefinitionPlace, ...]],
        of_path: Mapping[str, tuple[Definition, ...]],
        places: Mapping[str, int],
        stale: frozenset[int],
    ) -> None:
        self._tables = tables
        self.fresh = fresh  # each in order of path and start
        self.of_path = of_path  # the same by file
        self.places = places  # where such a file stands, or would stand, among those of the tables
        self._stale = stale
        self._is_kept = np.ones(len(tables.files.paths), bool)
        self._is_kept[list(stale)] = False

    def __getitem__(self, name: str) -> DefinitionPlaces:
        own = self._own(name)
        if not own:
            raise KeyError(name)
        return DefinitionPlaces(self._tables, name, own, self.fresh.get(name, ()))

    def get(self, name: str, default: Any = None) -> Any:
        """Return a name's places; without this a mapping raises and catches for each word that nothing defines."""
        own = self._own(name)
        return DefinitionPlaces(self._tables, name, own, self.fresh.get(name, ())) if own else default

    def _own(self, name: str) -> Sequence[int]:
        rows, fresh, stale = self._tables.definitions.rows(name), self.fresh.get(name), self._stale
        files = self._tables.definitions.file[rows.start : rows.stop]
        is_stale = not stale.isdisjoint(files.tolist())
        if not is_stale and not fresh:
            return rows
        own = np.arange(rows.start, rows.stop)
        if is_stale:
            kept = self._is_kept[files]
            own, files = own[kept], files[kept]
        if fresh:
            before = files.searchsorted([self.places[path] for path, _ in fresh])
            own = np.insert(own, before, ~np.arange(len(fresh)))
        return own.tolist()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self.fresh or bool(self._own(name)))

    def __iter__(self) -> Iterator[str]:
        names = self._tables.definitions.names
        yield from (name for name in names if not self._stale or name in self)
        yield from (name for name in self.fresh if names.find(name) < 0)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True)
class IndexView:
    """All files and what their names mean. Paths are relative to the root, with ``/``.

    ``tables`` are those of the last build; ``stale`` holds the files changed since (None: removed).
    """

    files: Mapping[str, FileEntry]
    definitions: Mapping[str, DefinitionPlaces]
    """Name to its places, in order of path and start."""
    tables: Tables
    stale: Mapping[str, FileEntry | None]
    root: Path | None = None
    """The workspace's folder, None for a view of no index."""

    @property
    def postings(self) -> Postings:
        """The tables that ranking sums over."""
        return self.tables.postings

    @cached_property
    def referencing(self) -> "Referencing":
        """Name to the files that use it, each with the number of uses."""
        return Referencing(self)


class Referencing(Mapping[str, Mapping[str, int]]):
    """Uses by name, put together on demand from the tables and the files changed since."""

    __slots__ = ("_postings", "_stale")

    def __init__(self, view: IndexView) -> None:
        self._postings = view.postings
        self._stale = view.stale

    def __getitem__(self, name: str) -> Mapping[str, int]:
        uses: dict[str, int] = {}
        word = self._postings.word_ids.get(name)
        if word is not None:
            row = self._postings.users.slice(word)
            files = self._postings.users.columns[row].tolist()
            counts = self._postings.use_counts[row].tolist()
            paths = self._postings.paths
            uses = {paths[file]: count for file, count in zip(files, counts, strict=True)}
        for path, entry in self._stale.items():
            count = entry.symbols.references.get(name) if entry else None
            if count:
                uses[path] = count
            else:
                uses.pop(path, None)
        if not uses:
            raise KeyError(name)
        return uses

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._candidates() if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _candidates(self) -> Iterator[str]:
        yield from self._postings.words
        known = self._postings.word_ids
        fresh = {name for entry in self._stale.values() if entry for name in entry.symbols.references}
        yield from sorted(fresh - known.keys())


def view_of(tables: Tables, entries: Mapping[str, FileEntry], root: Path | None = None) -> IndexView:
    """Return the view of tables alone; ``entries`` are those of all their files."""
    return IndexView(Layered(entries), Defining(tables, {}, {}, {}, frozenset()), tables, {}, root)


EMPTY_VIEW = view_of(build_tables(()), {})


def with_changes(view: IndexView, changes: Mapping[str, FileEntry | None]) -> IndexView:
    """Return a view with files replaced or removed (None)."""
    changes = {path: entry for path, entry in changes.items() if entry is not None or path in view.files}
    if not changes:
        return view
    files, definitions = view.files, view.definitions
    assert isinstance(files, Layered)
    assert isinstance(definitions, Defining)
    fresh, of_path, places = dict(definitions.fresh), dict(definitions.of_path), dict(definitions.places)
    for path, entry in changes.items():
        after = entry.symbols.definitions if entry else ()
        before = of_path.pop(path, ())
        if after:
            of_path[path] = after
            if path not in places:
                places[path] = bisect_left(view.tables.files.paths, path)
        if before != after:
            _replace(fresh, path, before, after)
    stale = {**view.stale, **changes}
    ids = view.postings.file_ids
    masked = frozenset(ids[path] for path in stale if path in ids)
    defining = Defining(view.tables, fresh, of_path, places, masked)
    return IndexView(files.changed(changes), defining, view.tables, stale, view.root)


def _replace(
    fresh: dict[str, tuple[DefinitionPlace, ...]], path: str, before: Sequence[Definition], after: Sequence[Definition]
) -> None:
    """Put one file's places in the place of those it had, in order of path."""
    own: dict[str, list[DefinitionPlace]] = {definition.name: [] for definition in before}
    for definition in after:
        own.setdefault(definition.name, []).append((path, definition))
    for name, places in own.items():
        known = fresh.get(name, ())
        start = bisect_left(known, path, key=itemgetter(0))
        end = bisect_right(known, path, start, key=itemgetter(0))
        if merged := (*known[:start], *places, *known[end:]):
            fresh[name] = merged
        else:
            fresh.pop(name, None)


def rebuilt(view: IndexView) -> IndexView:
    """Return the same view with tables that hold every file; a second for some thousand files."""
    if not view.stale:
        return view
    entries = [view.files[path] for path in sorted(view.files)]
    tables = build_tables((entry.row, packed(entry.facts())) for entry in entries)
    return view_of(tables, view.files, view.root)


def overlaid(built: IndexView, now: IndexView) -> IndexView:
    """Return tables built from an older view, overlaid with everything that has changed since."""
    changes: dict[str, FileEntry | None] = {path: None for path in built.files if path not in now.files}
    changes |= {path: entry for path, entry in now.files.items() if built.files.get(path) != entry}
    return with_changes(built, changes)
