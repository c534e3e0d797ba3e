"""Which definitions of other files the code at the cursor will need: a pure function over a view.

The score of a definition adds up what docs/evaluation.md found to matter: that it occurs where the words near the
cursor occur, that files beside this one use it, that this file names or imports it, that it lies near. Deterministic.
The tables behind it are those of the last build: a file changed since weighs with its old words, but only live
definitions come out.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from posixpath import basename, dirname

import numpy as np
import numpy.typing as npt

from spark_lsp.index.postings import Postings
from spark_lsp.index.resolve import resolve
from spark_lsp.index.symbols import Definition, Import
from spark_lsp.index.view import IndexView
from spark_lsp.index.windows import WINDOW_LINES, WORD

COOCCURRENCE_WEIGHT = 1.0
SIBLINGS_WEIGHT = 1.0
USES_WEIGHT = 0.5
IMPORTED_WEIGHT = 1.0
NEARNESS_WEIGHT = 0.3
TEST_PENALTY = 0.5
HOMONYM_PENALTY = 1.0  # per doubling of the places that define a name: any one of them is less likely meant

LINES_AFTER = 5  # the code below tells where the code at the cursor leads
COMMON_SHARE = 0.1  # words in more than one window of ten say nothing about the place
COMMON_AT_LEAST = 8  # in a workspace of a few files a tenth of the windows is one or two
CURSOR_WORDS = 40  # the rarest words near the cursor; more change little and cost time
WINDOWS_PER_WORD = 128  # evenly spread when a word stands in more: bounds the time of one keystroke
CANDIDATES = 300  # names taken from co-occurrence, and from the head of each imported file
PLACES_LOOKED_AT = 16  # a name that more places define (``__init__``) is no use to rank
PLACES_PER_NAME = 4
NAMES_IN_RESERVE = 32  # names beyond the limit whose places are scored: nearness and imports may lift them


@dataclass(frozen=True, slots=True)
class RankedDefinition:
    """A definition of another file with its score (larger is better) and the strongest reason, in plain words."""

    path: str
    definition: Definition
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Cursor:
    """What ranking knows of the place.

    ``near`` are the words near it, the nearest first; ``uses`` counts the file's identifiers; ``siblings`` marks the
    files of the last build that lie in the same folder.
    """

    path: str
    near: Mapping[str, None]
    uses: Mapping[str, int]
    imported_names: frozenset[str]
    imported_files: frozenset[str]
    siblings: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Cooccurrence:
    """Names scored by word number, and what they were added up from: pairs of a cursor word and a name."""

    scores: Mapping[str, float]
    pair_words: npt.NDArray[np.int64]
    pair_names: npt.NDArray[np.int32]
    pair_weights: npt.NDArray[np.float64]
    words: tuple[str, ...]


def rank_definitions(
    view: IndexView, *, path: str, text: str, offset: int, language: str, limit: int = 64
) -> list[RankedDefinition]:
    """Return definitions of other files for a cursor at ``offset`` of ``text``, the best first.

    ``path`` is the current file's, relative to the workspace; ``language`` a key of ``LANGUAGES`` (others work too).
    """
    cursor = _cursor(view, path, text, offset, language)
    together = _cooccurrence(view.postings, cursor)
    names = _best_names(view, cursor, together, limit)
    ranked = [each for name, score in names for each in _places(view, cursor, name, score)]
    ranked.sort(key=lambda each: (-each[0], each[1], each[2].span.start))
    top = ranked[:limit]
    causes = _causes(view.postings, together, {definition.name for _, _, definition, _ in top})
    return [
        RankedDefinition(where, definition, round(score, 4), reason or causes.get(definition.name, "used nearby"))
        for score, where, definition, reason in top
    ]


def _cursor(view: IndexView, path: str, text: str, offset: int, language: str) -> _Cursor:
    start, end = offset, offset
    for _ in range(WINDOW_LINES):
        start = text.rfind("\n", 0, start)
        if start < 0:
            break
    for _ in range(LINES_AFTER):
        end = text.find("\n", end + 1)
        if end < 0:
            break
    before = WORD.findall(text, max(0, start), offset)
    after = WORD.findall(text, offset, end if end >= 0 else len(text))
    entry = view.files.get(path)
    imports: tuple[Import, ...] = entry.symbols.imports if entry else ()
    language = entry.language if entry else language
    files = [found for each in imports for found in resolve(view.files, path, language, each.module)]
    return _Cursor(
        path,
        dict.fromkeys([*reversed(before), *after]),
        entry.symbols.references if entry else Counter(WORD.findall(text)),
        frozenset(name.rpartition(".")[2] for each in imports for name in each.names),
        frozenset(files),
        _siblings(view.postings, path),
    )


def _cooccurrence(postings: Postings, cursor: _Cursor) -> _Cooccurrence:
    """Score names by the windows in which they stand with the words near the cursor.

    For each name: the sum over words of idf(word) · P(name in a window | word in it).
    """
    window_count = len(postings.window_file)
    own = postings.file_ids.get(cursor.path, -1)
    rare = sorted(_rare_words(postings, cursor.near, own))[:CURSOR_WORDS]
    if not rare:
        return _Cooccurrence({}, np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0), ())
    rows = [_sampled(postings.windows_of[word]) for _, _, word in rare]
    windows = np.concatenate(rows)
    weights = [math.log(window_count / count) / len(row) for (count, _, _), row in zip(rare, rows, strict=True)]
    owners = np.repeat(np.arange(len(rare)), [len(row) for row in rows])
    others = postings.window_file[windows] != own
    windows, owners = windows[others], owners[others]
    names, lengths = _gather(postings, windows)
    pair_words = np.repeat(owners, lengths)
    pair_weights = np.array(weights)[pair_words]
    totals = np.bincount(names, pair_weights, minlength=len(postings.words))
    best = np.flatnonzero(totals)
    if len(best) > CANDIDATES:
        best = best[np.argpartition(-totals[best], CANDIDATES)[:CANDIDATES]]
    scores = {postings.words[number]: score for number, score in zip(best.tolist(), totals[best].tolist(), strict=True)}
    return _Cooccurrence(scores, pair_words, names, pair_weights, tuple(postings.words[word] for _, _, word in rare))


def _sampled(windows: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Take at most ``WINDOWS_PER_WORD``, evenly spread over the workspace."""
    if len(windows) <= WINDOWS_PER_WORD:
        return windows
    return windows[np.arange(WINDOWS_PER_WORD) * len(windows) // WINDOWS_PER_WORD]


def _rare_words(postings: Postings, near: Iterable[str], own: int) -> Iterator[tuple[int, int, int]]:
    """Yield how often a word near the cursor occurs, its place in the order of nearness, and its number."""
    most = max(COMMON_AT_LEAST, COMMON_SHARE * len(postings.window_file))
    for place, name in enumerate(near):
        word = postings.word_ids.get(name)
        if word is None:
            continue
        windows = postings.windows_of[word]
        if not 0 < len(windows) <= most:
            continue
        # A row is in order of files, so one that begins and ends in this file lies in it altogether.
        if postings.window_file[windows[0]] != own or postings.window_file[windows[-1]] != own:
            yield len(windows), place, word


def _gather(postings: Postings, windows: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Join the rows of many windows without a loop over them; also returns the length of each."""
    starts = postings.defined_in.ends[windows]
    lengths = postings.defined_in.ends[windows + 1] - starts
    before = np.cumsum(lengths) - lengths
    places = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
    return postings.defined_in.columns[places], lengths


def _siblings(postings: Postings, path: str) -> npt.NDArray[np.bool_]:
    """Mark the other files in the same folder."""
    marks = np.zeros(len(postings.paths), bool)
    marks[postings.folders.get(dirname(path), [])] = True
    if path in postings.file_ids:
        marks[postings.file_ids[path]] = False
    return marks


def _best_names(view: IndexView, cursor: _Cursor, together: _Cooccurrence, limit: int) -> list[tuple[str, float]]:
    """Score names without looking at their places; return the best, and those that this file imports."""
    from_imports = set(cursor.imported_names)
    for path in cursor.imported_files:
        tops = (each.name for each in view.files[path].symbols.definitions if not each.container)
        from_imports.update(islice(tops, CANDIDATES))
    definitions, scores, uses = view.definitions, together.scores, cursor.uses
    scored = [
        (COOCCURRENCE_WEIGHT * math.log1p(scores.get(name, 0.0)) + USES_WEIGHT * math.log1p(uses.get(name, 0)), name)
        for name in {*scores, *(uses.keys() | from_imports) & definitions.keys()}
    ]
    scored.sort(key=lambda each: (-each[0], each[1]))
    kept = limit + NAMES_IN_RESERVE
    chosen = scored[:kept] + [each for each in scored[kept:] if each[1] in cursor.imported_names]
    return [(name, score + _bonus(view.postings, cursor, name)) for score, name in chosen]


def _bonus(postings: Postings, cursor: _Cursor, name: str) -> float:
    """Return what a name gains by being imported and by the share of the files beside this one that use it."""
    bonus = IMPORTED_WEIGHT * (name in cursor.imported_names)
    word = postings.word_ids.get(name)
    siblings = len(postings.folders.get(dirname(cursor.path), ()))
    if word is not None and siblings:
        bonus += SIBLINGS_WEIGHT * int(np.count_nonzero(cursor.siblings[postings.users[word]])) / siblings
    return bonus


def _places(view: IndexView, cursor: _Cursor, name: str, score: float) -> Iterator[tuple[float, str, Definition, str]]:
    """Score the places that define a name; yields score, path, definition and reason ("" for co-occurrence)."""
    known = view.definitions.get(name, ())  # a name of the last build may be gone by now
    places = [place for place in known[:PLACES_LOOKED_AT] if place[0] != cursor.path]
    if not places:
        return
    score -= HOMONYM_PENALTY * math.log2(max(len(places), len(known) - 1))
    reason = "mentioned near the cursor" if name in cursor.near else "used in this file" if name in cursor.uses else ""
    if len(places) > PLACES_PER_NAME:
        places = sorted(places, key=lambda place: _distance(cursor, place[0]))[:PLACES_PER_NAME]
    in_test = _is_test(cursor.path)
    for path, definition in places:
        imported = path in cursor.imported_files
        total = score + IMPORTED_WEIGHT * imported + NEARNESS_WEIGHT * _nearness(cursor.path, path)
        if not in_test and _is_test(path):
            total -= TEST_PENALTY
        why = "imported" if imported and name in cursor.imported_names else reason
        yield total, path, definition, why or ("in an imported file" if imported else "")


def _distance(cursor: _Cursor, path: str) -> tuple[bool, float, str]:
    return path not in cursor.imported_files, -_nearness(cursor.path, path), path


@lru_cache(maxsize=65_536)
def _nearness(one: str, other: str) -> float:
    """Return the share of folders that two paths have in common, 1 within one folder."""
    ours, theirs = one.split("/")[:-1], other.split("/")[:-1]
    common = 0
    for left, right in zip(ours, theirs, strict=False):
        if left != right:
            break
        common += 1
    longest = max(len(ours), len(theirs))
    return common / longest if longest else 1.0


@lru_cache(maxsize=65_536)
def _is_test(path: str) -> bool:
    name = basename(path)
    return "test/" in path or "tests/" in path or name.startswith("test_") or "_test." in name or ".test." in name


def _causes(postings: Postings, together: _Cooccurrence, names: set[str]) -> dict[str, str]:
    """Name for each chosen definition the word that did most for it."""
    if not len(together.pair_names):
        return {}
    chosen = sorted(postings.word_ids[name] for name in names if name in postings.word_ids)
    places = np.full(len(postings.words), -1, np.int64)
    places[chosen] = np.arange(len(chosen))
    rows = places[together.pair_names]
    kept = rows >= 0
    width = len(together.words)
    table = np.bincount(
        rows[kept] * width + together.pair_words[kept], together.pair_weights[kept], minlength=len(chosen) * width
    ).reshape(len(chosen), width)
    return {
        postings.words[number]: f"co-occurs with {together.words[int(table[place].argmax())]}"
        for place, number in enumerate(chosen)
        if table[place].any()
    }


def frozen_order(view: IndexView) -> list[str]:
    """Return all files, those whose definitions are used most by other files first; ties by path.

    A use of a name that several files define counts in equal parts. Call it when a trunk is built, not with each key.
    """
    scores = dict.fromkeys(view.files, 0.0)
    referencing = view.referencing
    for name in view.definitions:
        places = view.definitions[name]
        users = referencing.get(name)
        if not users:
            continue
        owners = {path for path, _ in places}
        for path in owners:
            others = len(users) - (path in users)
            scores[path] += math.log1p(others) / len(owners)
    return sorted(scores, key=lambda path: (-round(scores[path], 6), path))
