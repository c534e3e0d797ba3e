"""What is known of the workspace at one moment: immutable, shared by requests without locks.

A view is the tables of the last full build (``tables.py``) with the files changed since laid over them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import overload

from spark_lsp.index.facts import NO_FACTS, PLAIN_TEXT, Facts, packed
from spark_lsp.index.layers import Layered
from spark_lsp.index.postings import Postings
from spark_lsp.index.symbols import Definition, FileSymbols
from spark_lsp.index.tables import FileRow, Tables, build_tables

__all__ = ["EMPTY_VIEW", "PLAIN_TEXT", "FileEntry", "IndexView"]

Place = tuple[str, Definition]


def _no_facts() -> Facts:
    return NO_FACTS


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
    facts: Callable[[], Facts] = field(default=_no_facts, compare=False, repr=False)
    read: Callable[[], str] = field(default=str, compare=False, repr=False)

    @property
    def symbols(self) -> FileSymbols:
        """What the file defines, uses and imports; fetched when asked for, a tenth of a millisecond at worst."""
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


class Places(Sequence[Place]):
    """The places that define one name, in order of path and start; a definition is made when it is asked for."""

    __slots__ = ("_name", "_own", "_tables")

    def __init__(self, tables: Tables, name: str, own: Sequence[int | Place]) -> None:
        self._tables = tables
        self._name = name
        self._own = own  # rows of the tables, and places in files changed since

    def _place(self, each: int | Place) -> Place:
        if isinstance(each, tuple):
            return each
        columns = self._tables.definitions
        return self._tables.files.paths[columns.file[each]], columns.definition(each, self._name)

    @overload
    def __getitem__(self, number: int) -> Place: ...

    @overload
    def __getitem__(self, number: slice) -> list[Place]: ...

    def __getitem__(self, number: int | slice) -> Place | list[Place]:
        if isinstance(number, slice):
            return [self._place(each) for each in self._own[number]]
        return self._place(self._own[number])

    def __iter__(self) -> Iterator[Place]:
        return map(self._place, self._own)

    def __len__(self) -> int:
        return len(self._own)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def paths(self) -> list[str]:
        """Return the files alone, which costs no definitions; a file stands here once for each of its places."""
        files, paths = self._tables.definitions.file, self._tables.files.paths
        return [each[0] if isinstance(each, tuple) else paths[files[each]] for each in self._own]


class Defining(Mapping[str, Places]):
    """Names to their places: those of the tables, without the files changed since, and those of these files."""

    __slots__ = ("_stale", "_tables", "fresh", "of_path")

    def __init__(
        self,
        tables: Tables,
        fresh: Mapping[str, tuple[Place, ...]],
        of_path: Mapping[str, tuple[Definition, ...]],
        stale: frozenset[int],
    ) -> None:
        self._tables = tables
        self.fresh = fresh  # each in order of path and start
        self.of_path = of_path  # the same by file
        self._stale = stale

    def __getitem__(self, name: str) -> Places:
        own = self._own(name)
        if not own:
            raise KeyError(name)
        return Places(self._tables, name, own)

    def _own(self, name: str) -> Sequence[int | Place]:
        rows: Sequence[int] = self._tables.definitions.rows(name)
        files, paths, stale = self._tables.definitions.file, self._tables.files.paths, self._stale
        if stale and rows:
            own = files[rows[0] : rows[-1] + 1].tolist()
            rows = [row for row, file in zip(rows, own, strict=True) if file not in stale]
        fresh = self.fresh.get(name)
        if not fresh:
            return rows
        merged: list[int | Place] = list(rows)
        for place in reversed(fresh):
            merged.insert(bisect_left(rows, place[0], key=lambda row: paths[files[row]]), place)
        return merged

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
    definitions: Mapping[str, Places]
    """Name to its places, in order of path and start."""
    tables: Tables
    stale: Mapping[str, FileEntry | None]

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


def view_of(tables: Tables, entries: Mapping[str, FileEntry]) -> IndexView:
    """Return the view of tables alone; ``entries`` are those of all their files."""
    return IndexView(Layered(entries), Defining(tables, {}, {}, frozenset()), tables, {})


EMPTY_VIEW = view_of(build_tables(()), {})


def with_changes(view: IndexView, changes: Mapping[str, FileEntry | None]) -> IndexView:
    """Return a view with files replaced or removed (None)."""
    changes = {path: entry for path, entry in changes.items() if entry is not None or path in view.files}
    if not changes:
        return view
    files, definitions = view.files, view.definitions
    assert isinstance(files, Layered)
    assert isinstance(definitions, Defining)
    fresh, of_path = dict(definitions.fresh), dict(definitions.of_path)
    for path, entry in changes.items():
        after = entry.symbols.definitions if entry else ()
        before = of_path.pop(path, ())
        if after:
            of_path[path] = after
        if before != after:
            _replace(fresh, path, before, after)
    stale = {**view.stale, **changes}
    ids = view.postings.file_ids
    masked = frozenset(ids[path] for path in stale if path in ids)
    return IndexView(files.changed(changes), Defining(view.tables, fresh, of_path, masked), view.tables, stale)


def _replace(
    fresh: dict[str, tuple[Place, ...]], path: str, before: Sequence[Definition], after: Sequence[Definition]
) -> None:
    """Put one file's places in the place of those it had, in order of path."""
    own: dict[str, list[Place]] = {each.name: [] for each in before}
    for each in after:
        own.setdefault(each.name, []).append((path, each))
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
    return view_of(tables, view.files)


def laid_over(built: IndexView, now: IndexView) -> IndexView:
    """Return tables built from an older view with all laid over them that differs by now."""
    changes: dict[str, FileEntry | None] = {path: None for path in built.files if path not in now.files}
    changes |= {path: entry for path, entry in now.files.items() if built.files.get(path) != entry}
    return with_changes(built, changes)
