"""The graph of files, with an edge from a file to each file that defines a name it uses, and the rank along it.

Personalised PageRank by forward push (Andersen, Chung, Lang, 2006): it looks only at files that rank reaches, so a
start costs the same in a workspace of ten and of ten thousand files. Edges are made when first walked and kept while
their file stays the same; nothing is ever computed for the whole workspace.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spark_lsp.index.ranking.import_graph import visible_files
from spark_lsp.index.ranking.rank import stable_order
from spark_lsp.index.storage.view import FileEntry, IndexView

RESTART = 0.15
MIN_REST = 1e-4  # rank that a file passes on only when it holds more of it, for each of its edges
MAX_PUSHES = 400  # files that pass rank on: bounds the time of a start
IMPORT_FACTOR = 3.0  # an edge that an import resolves weighs more than one of the same name alone
MANY_PLACES = 4  # a name that more files define says nothing
NAMES_PER_FILE = 400  # the most used; a file that uses more is data or generated
FILES_KEPT = 20_000
STARTS = 8  # recently viewed files from which rank spreads, besides the open ones


class FileGraph:
    """Edges by file, made on demand. Belongs to one thread at a time."""

    def __init__(self) -> None:
        self._edges: dict[str, tuple[str, Mapping[str, float]]] = {}

    def edges(self, view: IndexView, path: str) -> Mapping[str, float]:
        """Return where a file's rank goes, in shares that add up to 1; empty for a file that uses no other."""
        entry = view.files.get(path)
        if entry is None:
            return {}
        held = self._edges.get(path)
        if held is None or held[0] != entry.content_hash:
            if len(self._edges) >= FILES_KEPT:
                self._edges.clear()
            held = self._edges[path] = (entry.content_hash, _edges(view, entry))
        return held[1]

    def rank(self, view: IndexView, starts: Sequence[str]) -> dict[str, float]:
        """Return the rank that spreads from these files; files that it does not reach are left out."""
        starts = [path for path in starts if path in view.files]
        rank: dict[str, float] = {}
        rest = dict.fromkeys(starts, 1 / len(starts)) if starts else {}
        waiting = deque(rest)
        for _ in range(MAX_PUSHES):
            if not waiting:
                break
            path = waiting.popleft()
            held = rest.pop(path, 0.0)
            rank[path] = rank.get(path, 0.0) + RESTART * held
            edges = self.edges(view, path)
            for target, share in edges.items():
                before = rest.get(target, 0.0)
                now = rest[target] = before + (1 - RESTART) * held * share
                if before <= MIN_REST < now:
                    waiting.append(target)
        return rank


def _edges(view: IndexView, entry: FileEntry) -> Mapping[str, float]:
    """Weigh the files that define what a file uses: each name by its rarity and the root of its uses."""
    symbols = entry.symbols
    imported = set(visible_files(view, entry.path, entry.language))
    weights = dict.fromkeys(sorted(imported), IMPORT_FACTOR)
    uses = sorted(symbols.references.items(), key=lambda use: (-use[1], use[0]))[:NAMES_PER_FILE]
    for name, count in uses:
        known = view.definitions.get(name)
        if known is None or len(known) > MANY_PLACES:
            continue
        owners = dict.fromkeys(known.paths())
        if entry.path in owners:
            continue
        for path in owners:
            factor = IMPORT_FACTOR if path in imported else 1.0
            weights[path] = weights.get(path, 0.0) + factor * math.sqrt(count) / len(owners)
    total = sum(weights.values())
    return {path: weight / total for path, weight in weights.items()}


def order_from(graph: FileGraph, view: IndexView, starts: Sequence[str], fallback: Sequence[str]) -> list[str]:
    """Return all files: those that rank reaches from the starts first, the others in the fallback's order."""
    rank = graph.rank(view, starts)
    places = {path: number for number, path in enumerate(fallback)}
    reached = sorted(rank.keys() & places.keys(), key=lambda path: (-round(rank[path], 9), places[path]))
    return [*reached, *(path for path in fallback if path not in rank)]


@dataclass(frozen=True, slots=True)
class Ordered:
    """All files in two orders: the most useful here and now first, and one that never changes between two builds."""

    useful_first: list[str]
    stable: list[str]


class FileOrder:
    """The order of files in a cached prefix. Belongs to one thread at a time."""

    def __init__(self) -> None:
        self._graph = FileGraph()
        self._built_from: object = None
        self._stable: list[str] = []

    def of(self, view: IndexView, starts: Sequence[str], most_starts: int) -> Ordered:
        """Order all files: those that the starts use first, the starts themselves last.

        A file of the starts is likely to be opened again and leaves the prefix then; at its end that costs least.
        """
        chosen = dict.fromkeys(starts[:most_starts])
        if self._built_from is not view.postings:
            self._built_from, self._stable = view.postings, stable_order(view)
        known = frozenset(self._stable)
        self._stable = [*self._stable, *sorted(path for path in view.files if path not in known)]
        order = order_from(self._graph, view, list(chosen), self._stable)
        useful = [*(path for path in order if path not in chosen), *(path for path in order if path in chosen)]
        return Ordered(useful, self._stable)
