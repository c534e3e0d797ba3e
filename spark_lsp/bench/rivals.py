"""The packers that ours is compared with, each a known tool's method in its simplest form.

Each is given a project once and then returns, for a case, pieces of other files, the best first; the harness fills a
budget with them. They see the same text as ours: the file without its hole.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from spark_lsp.bench.recall import RecallCase
from spark_lsp.index.parse.windows import WORD
from spark_lsp.index.ranking.import_graph import visible_files
from spark_lsp.index.storage.view import FileEntry, IndexView
from spark_lsp.prompt.segment import Segment, segment_of
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import LineTable

Floats = npt.NDArray[np.float64]

QUERY_LINES = 60  # before the cursor, as Copilot's similar files; BM25 asks with as many words
BM25_K, BM25_B = 1.2, 0.75
DAMPING, ROUNDS = 0.85, 20
MANY_DEFINERS = 5  # Aider: a name that more files define weighs a tenth


class Rival(Protocol):
    """Returns pieces of other files for a case, best first."""

    def __call__(self, case: RecallCase) -> Iterator[Segment]:
        """Yield pieces; the same piece is never given twice."""
        ...


@dataclass(frozen=True)
class _Chunks:
    """Pieces of whole lines of all files, and which words stand in which."""

    segments: Sequence[Segment]
    owners: Sequence[str]
    sizes: Floats
    holds: dict[str, tuple[npt.NDArray[np.int64], Floats]]
    """Word to pieces and how often it stands in each."""

    @classmethod
    def of(cls, view: IndexView, lines: int, step: int) -> "_Chunks":
        segments: list[Segment] = []
        counts: list[Counter[str]] = []
        for path in sorted(view.files):
            text = view.files[path].text
            table = LineTable.of(text)
            for first in range(0, max(1, len(table) - lines + step), step):
                last = min(len(table), first + lines) - 1
                span = Span(table.starts[first], table.ends[last])
                segments.append(segment_of(path, text, table, span, "recent", "", 0.0))
                counts.append(Counter(WORD.findall(text, span.start, span.end)))
        rows: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, words in enumerate(counts):
            for word, count in words.items():
                rows[word].append((number, count))
        holds = {
            word: (np.array([number for number, _ in row]), np.array([count for _, count in row], np.float64))
            for word, row in rows.items()
        }
        return cls(
            segments, [segment.path for segment in segments], np.array([len(row) for row in counts], float), holds
        )


def _query(case: RecallCase) -> list[str]:
    before = case.text[: case.offset].splitlines()[-QUERY_LINES:]
    return WORD.findall("\n".join(before))


class JaccardWindows:
    """Copilot's similar files: windows of 60 lines by the share of words in common, the best of each file."""

    def __init__(self, view: IndexView) -> None:
        self._chunks = _Chunks.of(view, lines=60, step=10)

    def __call__(self, case: RecallCase) -> Iterator[Segment]:
        """Yield windows, best first."""
        words = set(_query(case))
        common = np.zeros(len(self._chunks.segments))
        for word in words & self._chunks.holds.keys():
            common[self._chunks.holds[word][0]] += 1
        scores = common / np.maximum(self._chunks.sizes + len(words) - common, 1)
        best: set[str] = {case.path}
        for number in np.argsort(-scores, kind="stable").tolist():
            path = self._chunks.owners[number]
            if path not in best and scores[number] > 0:
                best.add(path)
                yield self._chunks.segments[number]


class Bm25Chunks:
    """BM25 over chunks of 40 lines, asked with the words before the cursor."""

    def __init__(self, view: IndexView) -> None:
        self._chunks = _Chunks.of(view, lines=40, step=40)

    def __call__(self, case: RecallCase) -> Iterator[Segment]:
        """Yield chunks, best first."""
        chunks = self._chunks
        scores = np.zeros(len(chunks.segments))
        norm = BM25_K * (1 - BM25_B + BM25_B * chunks.sizes / max(chunks.sizes.mean(), 1))
        for word in set(_query(case)) & chunks.holds.keys():
            rows, counts = chunks.holds[word]
            idf = math.log(1 + (len(scores) - len(rows) + 0.5) / (len(rows) + 0.5))
            scores[rows] += idf * counts * (BM25_K + 1) / (counts + norm[rows])
        for number in np.argsort(-scores, kind="stable").tolist():
            if chunks.owners[number] != case.path and scores[number] > 0:
                yield chunks.segments[number]


class ImportedBodies:
    """Whole definitions that the file names: those of imported files first, the last named first."""

    def __init__(self, view: IndexView) -> None:
        self._view = view

    def __call__(self, case: RecallCase) -> Iterator[Segment]:
        """Yield definitions with their bodies."""
        view = self._view
        imported = set(visible_files(view, case.path, case.language))
        named = list(dict.fromkeys(reversed(WORD.findall(case.text, 0, case.offset))))
        places = [
            (path not in imported, place, path, definition)
            for place, name in enumerate(named)
            for path, definition in view.definitions.get(name, ())
            if path != case.path and len(view.definitions[name]) <= MANY_DEFINERS
        ]
        for _, _, path, definition in sorted(places, key=lambda place: place[:3]):
            text = view.files[path].text
            yield segment_of(path, text, LineTable.of(text), definition.span, "definition", "", 0.0)


class RepositoryMap:
    """Aider's map: personalised PageRank over files, its mass spread over the definitions used, signature lines."""

    def __init__(self, view: IndexView) -> None:
        self._view = view
        self._paths = sorted(view.files)
        self._ids = {path: number for number, path in enumerate(self._paths)}
        edges: list[tuple[int, int, int, float]] = []
        self._names = sorted(view.definitions)
        for number, name in enumerate(self._names):
            owners = sorted({self._ids[path] for path, _ in view.definitions[name]})
            weight = 10.0 if len(name) >= 8 and (("_" in name.strip("_")) or _is_camel(name)) else 1.0
            weight *= (0.1 if name.startswith("_") else 1.0) * (0.1 if len(owners) > MANY_DEFINERS else 1.0)
            for path, count in view.referencing.get(name, {}).items():
                edges += [(self._ids[path], owner, number, weight * math.sqrt(count)) for owner in owners]
        rows = np.array([edge[:3] for edge in edges], np.int64).reshape(-1, 3)
        self._source, self._target, self._name = rows[:, 0], rows[:, 1], rows[:, 2]
        self._weight = np.array([edge[3] for edge in edges], np.float64)

    def __call__(self, case: RecallCase) -> Iterator[Segment]:
        """Yield signature lines, best first."""
        weight = self._weight.copy()
        mentioned = set(WORD.findall(case.text))
        is_mentioned = np.array([name in mentioned for name in self._names], bool)
        weight[is_mentioned[self._name]] *= 10
        own = self._ids[case.path]
        weight[self._source == own] = 0  # what the hole uses must not weigh
        own_edges = self._edges_of(case, mentioned)
        source = np.concatenate([self._source, np.full(len(own_edges), own)])
        target = np.concatenate([self._target, [target for target, _, _ in own_edges]]).astype(np.int64)
        name = np.concatenate([self._name, [number for _, number, _ in own_edges]]).astype(np.int64)
        weight = np.concatenate([weight, [edge_weight for _, _, edge_weight in own_edges]])
        mass = self._rank(source, target, weight, own)[0]
        keys, where = np.unique(np.stack([target, name]), axis=1, return_inverse=True)
        scores = np.bincount(where.reshape(-1), mass)
        for number in np.argsort(-scores, kind="stable").tolist():
            path, wanted = self._paths[keys[0][number]], self._names[keys[1][number]]
            if path != case.path:
                yield from _signatures(self._view.files[path], wanted)

    def _edges_of(self, case: RecallCase, mentioned: set[str]) -> list[tuple[int, int, float]]:
        numbers = {name: number for number, name in enumerate(self._names)}
        counts = Counter(WORD.findall(case.text))
        return [
            (self._ids[path], numbers[name], 50 * 10 * math.sqrt(counts[name]))
            for name in sorted(mentioned & numbers.keys())
            for path in sorted({path for path, _ in self._view.definitions[name]})
            if path != case.path
        ]

    def _rank(self, source: Any, target: Any, weight: Floats, own: int) -> tuple[Floats, Floats]:
        """Return the mass that each edge carries, and each file's rank."""
        count = len(self._paths)
        out = np.bincount(source, weight, minlength=count)
        share = weight / np.maximum(out[source], 1e-12)
        start = np.full(count, 0.1 / count)
        start[own] += 0.9
        rank = start.copy()
        for _ in range(ROUNDS):
            moved = np.bincount(target, rank[source] * share, minlength=count)
            rank = (1 - DAMPING) * start + DAMPING * (moved + start * rank[out == 0].sum())
        return rank[source] * share, rank


def _is_camel(name: str) -> bool:
    return any(left.islower() and right.isupper() for left, right in pairwise(name))


def _signatures(entry: FileEntry, name: str) -> Iterator[Segment]:
    text = entry.text
    lines = LineTable.of(text)
    for definition in entry.symbols.definitions:
        if definition.name == name:
            head = definition.signature_span
            yield segment_of(entry.path, text, lines, head, "signature", "", 0.0)
