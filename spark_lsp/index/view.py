"""What is known of the workspace at one moment: immutable, shared by requests without locks.

A view is the tables of the last full build (``postings.py``) with the files changed since laid over them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter

from spark_lsp.index.layers import Layered
from spark_lsp.index.postings import Postings, build_postings
from spark_lsp.index.symbols import Definition, FileSymbols
from spark_lsp.index.windows import NO_WINDOWS, WordWindows

PLAIN_TEXT = "text"  # the ``language`` of files of no known one

NO_POSTINGS = build_postings((), ())

Definitions = tuple[tuple[str, Definition], ...]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One indexed file. Two entries are equal when they were made from the same text under the same path."""

    path: str
    content_hash: str
    language: str
    symbols: FileSymbols
    windows: WordWindows = field(default=NO_WINDOWS, repr=False)
    size: int = field(default=0, compare=False)
    """Bytes on disk, or characters of an unsaved document."""
    mtime_ns: int = field(default=0, compare=False)
    """0 for an unsaved document."""
    read: Callable[[], str] = field(default=str, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The text that the symbols' spans refer to; empty when the file has changed on disk or is gone."""
        return self.read()


@dataclass(frozen=True)
class IndexView:
    """All files and what their names mean. Paths are relative to the root, with ``/``.

    ``postings`` are those of the last build; ``stale`` holds the files changed since (None: removed).
    """

    files: Mapping[str, FileEntry]
    definitions: Mapping[str, Definitions]
    """Name to its places, in order of path and start."""
    postings: Postings
    stale: Mapping[str, FileEntry | None]

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


EMPTY_VIEW = IndexView(Layered(), Layered(), NO_POSTINGS, {})


def with_changes(view: IndexView, changes: Mapping[str, FileEntry | None]) -> IndexView:
    """Return a view with files replaced or removed (None)."""
    changes = {path: entry for path, entry in changes.items() if entry is not None or path in view.files}
    if not changes:
        return view
    files, definitions = view.files, view.definitions
    if not isinstance(files, Layered) or not isinstance(definitions, Layered):
        files, definitions = Layered(files), Layered(definitions)
    renamed = _changed_definitions(view, changes)
    return IndexView(files.changed(changes), definitions.changed(renamed), view.postings, {**view.stale, **changes})


def _changed_definitions(view: IndexView, changes: Mapping[str, FileEntry | None]) -> dict[str, Definitions | None]:
    """Return the new places of every name whose places change."""
    result: dict[str, Definitions | None] = {}
    for path, entry in changes.items():
        old = view.files.get(path)
        before = old.symbols.definitions if old else ()
        after = entry.symbols.definitions if entry else ()
        if before == after:
            continue
        gained: dict[str, list[tuple[str, Definition]]] = {definition.name: [] for definition in before}
        for definition in after:
            gained.setdefault(definition.name, []).append((path, definition))
        for name, places in gained.items():
            known = result[name] if name in result else view.definitions.get(name)
            result[name] = _replaced(known or (), path, places) or None
    return result


def _replaced(places: Definitions, path: str, own: Sequence[tuple[str, Definition]]) -> Definitions:
    """Put a file's places in the place of those it had; no sort, for some names stand in every file."""
    start = bisect_left(places, path, key=itemgetter(0))
    end = bisect_right(places, path, start, key=itemgetter(0))
    return (*places[:start], *own, *places[end:])


def rebuilt(view: IndexView) -> IndexView:
    """Return the same view with tables that hold every file; a second for ten thousand files."""
    if not view.stale:
        return view
    entries = (view.files[path] for path in sorted(view.files))
    files = ((entry.path, entry.symbols, entry.windows) for entry in entries)
    postings = build_postings(files, view.definitions)
    return IndexView(Layered(view.files), Layered(view.definitions), postings, {})


def laid_over(built: IndexView, before: IndexView, now: IndexView) -> IndexView:
    """Return ``built`` (made from ``before``) with what has changed from ``before`` to ``now`` laid over it."""
    changes = {path: entry for path, entry in now.stale.items() if before.stale.get(path, before) is not entry}
    return with_changes(built, changes)
