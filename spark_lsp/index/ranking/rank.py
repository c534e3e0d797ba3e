"""Rank the definitions of other files that the code at the cursor will need, by a pure function over a view.

The score of a name adds up what docs/evaluation.md found to matter: that it stands where the words near the cursor
stand, that the file uses it and how near, that files beside this one use it, that its parts are parts of names nearby,
that the names nearby are defined where it is, and that its file often changed together with this one. Deterministic.
The tables behind it are those of the last build: a file changed since weighs with its old words, but only live
definitions come out.
"""

import math
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from posixpath import basename, dirname
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spark_lsp.index.parse.symbols import Definition, Import
from spark_lsp.index.ranking.cooccurrence import Cooccurrence, cooccurring_names, strongest_words
from spark_lsp.index.ranking.definition_sites import DefinitionSites, sites_of
from spark_lsp.index.ranking.import_graph import visible_files
from spark_lsp.index.ranking.name_similarity import Surroundings, similarity_gains, surroundings_of
from spark_lsp.index.ranking.nearby_words import FAR, Nearby, words_around
from spark_lsp.index.scan.history import NO_CHANGES, CoChanges
from spark_lsp.index.storage.postings import Postings
from spark_lsp.index.storage.view import DefinitionPlaces, IndexView

# Fitted to what 2,048 tokens of snippets find on the tuning projects, rounded: docs/decisions/ranking.md has how.
COOCCURRENCE_WEIGHT = 0.9
USED_WEIGHT = 1.1
DISTANCE_WEIGHT = 0.09  # per factor e of distance, of what the file uses
SIBLINGS_WEIGHT = 1.9
SAME_FILE_WEIGHT = 0.4  # that names near the cursor are defined in the same file
BESIDE_WEIGHT = 1.3  # right beside one of them
IMPORTED_WEIGHT = 0.3
PROXIMITY_WEIGHT = 0.1
RECENT_WEIGHT = 0.5  # set by hand: packages have no editing history to measure it on
RECENT_FILES = 8
CHANGED_WEIGHT = 0.5  # by the share of the file's commits; set by hand: docs/decisions/ranking.md
TEST_PENALTY = 1.5
FIELD_PENALTY = 2.5  # by name alone it cannot be told from a local name or a key, and most are
OWN_PENALTY = 3.2  # the file defines the name itself
HOMONYM_PENALTY = 0.55  # per doubling of the places that define a name: any one of them is less likely meant
OTHER_PLACE_PENALTY = 1.3  # for each place but the likeliest
UNIMPORTED_PENALTY = 2.6  # for places of a name that an import resolves to another place

CANDIDATES = 400  # names taken from the file itself, the nearest first
IMPORTED_FILES, NAMES_OF_FILE = 12, 100  # looked into for names that stand nowhere near yet
MAX_PLACES = 8  # a name that more places define (``__init__``) is no use to rank
PLACES_PER_NAME = 3
SHORT_NAME, SHORT_NAME_WORDS = 3, 160  # ``windows.WORD`` leaves shorter ones out; taken to stand a window away
FRESH_WORDS = 24  # so near to the cursor a word counts as used even where the syntax of the last look does not say so
NAMES_IN_RESERVE = 80  # names beyond the limit whose places are scored: homes and imports may lift them
FIELDS = frozenset({"field"})


@dataclass(frozen=True, slots=True)
class RankedDefinition:
    """A definition of another file with its score (larger is better) and the strongest reason, in plain words."""

    path: str
    definition: Definition
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class _RankedPlace:
    """What ranking knows of the place."""

    path: str
    words: Nearby
    own_names: frozenset[str]
    uses: Container[str]
    """Identifiers of the file when it was last indexed: other words of it stand in comments and strings."""
    short_names: Sequence[str]
    """Identifiers of the file too short to say anything about their neighbours, but needed like others."""
    imported_names: frozenset[str]
    imported_files: frozenset[str]
    siblings: npt.NDArray[np.bool_]
    """Marks the files of the last build in the same folder."""
    sibling_count: int
    """With this file itself, if it is indexed."""
    recent: frozenset[str]
    sites: DefinitionSites
    surroundings: Surroundings
    changed: Mapping[str, float]
    """Files that often changed together with this one, with the share of its commits."""


class _NeededName(NamedTuple):
    """A name that may be needed, with its score before its places are scored."""

    score: float
    name: str
    known: DefinitionPlaces
    files: int
    """How many define it: overloads are no homonyms."""


class _Placed(NamedTuple):
    """A place that defines a name, with its score; ``bare`` is the score without what changed together."""

    score: float
    path: str
    start: int
    bare: float
    reason: str
    """Empty for co-occurrence."""
    name: _NeededName
    number: int
    """Which of the name's places: most are left out, and their definitions need not be made."""

    @property
    def order(self) -> tuple[float, str, int]:
        """What places are sorted by."""
        return -self.score, self.path, self.start

    @property
    def bare_order(self) -> tuple[float, str, int]:
        """What they would be sorted by."""
        return -self.bare, self.path, self.start


def rank_definitions(
    view: IndexView,
    *,
    path: str,
    text: str,
    offset: int,
    language: str,
    limit: int = 64,
    recent: Sequence[str] = (),
    history: CoChanges = NO_CHANGES,
) -> list[RankedDefinition]:
    """Return definitions of other files for a cursor at ``offset`` of ``text``, the best first.

    ``path`` is the current file's, relative to the workspace; ``language`` a key of ``LANGUAGES`` (others work too);
    ``recent`` are files edited or looked at lately, the newest first; ``history`` tells which files change together.
    """
    words = words_around(text, offset)
    cursor = _cursor(view, path, offset, words, language, frozenset(recent[:RECENT_FILES]), history)
    used = _used(view, cursor)
    cooccurrence = cooccurring_names(view.postings, words.near, path, max(limit * 2, CANDIDATES), used)
    names = _best_names(view, cursor, cooccurrence, used, limit)
    ranked = [candidate for name in names for candidate in _places(cursor, name)]
    ranked.sort(key=lambda candidate: candidate.order)
    lifted = _lifted(ranked)
    top = ranked[:limit]
    causes = strongest_words(
        view.postings, cooccurrence, {candidate.name.name for candidate in top if not candidate.reason}
    )
    definitions = []
    for place, candidate in enumerate(top):
        reason = candidate.reason or _cause(causes.get(candidate.name.name))
        reason += ", often changed together" if place in lifted else ""
        definition = candidate.name.known[candidate.number][1]
        definitions.append(RankedDefinition(candidate.path, definition, round(candidate.score, 4), reason))
    return definitions


def _lifted(ranked: Sequence[_Placed]) -> frozenset[int]:
    """Return the places that would come after a later one if their file had not changed together with this one."""
    lifted = set()
    first: tuple[float, str, int] | None = None
    for place in range(len(ranked) - 1, -1, -1):
        candidate = ranked[place]
        if first is not None and candidate.bare < candidate.score and first < candidate.bare_order:
            lifted.add(place)
        first = candidate.bare_order if first is None else min(first, candidate.bare_order)
    return frozenset(lifted)


def _cause(word: str | None) -> str:
    return f"co-occurs with {word}" if word else "used nearby"


def _cursor(
    view: IndexView,
    path: str,
    offset: int,
    words: Nearby,
    language: str,
    recent: frozenset[str],
    history: CoChanges,
) -> _RankedPlace:
    entry = view.files.get(path)
    imports: tuple[Import, ...] = entry.symbols.imports if entry else ()
    files = visible_files(view, path, language)
    return _RankedPlace(
        path,
        words,
        frozenset(definition.name for definition in entry.symbols.definitions) if entry else frozenset(),
        entry.symbols.references if entry and entry.symbols.references else words.distance,
        sorted(name for name in entry.symbols.references if len(name) < SHORT_NAME) if entry else (),
        frozenset(name.rpartition(".")[2] for statement in imports for name in statement.names),
        frozenset(files),
        _siblings(view.postings, path),
        len(view.postings.folders.get(dirname(path), ())),
        recent,
        sites_of(view, path, words.near),
        surroundings_of(path, entry.symbols.definitions if entry else (), offset),
        history.beside(path, view.files),
    )


def _siblings(postings: Postings, path: str) -> npt.NDArray[np.bool_]:
    """Mark the other files in the same folder."""
    marks = np.zeros(len(postings.paths), bool)
    marks[postings.folders.get(dirname(path), [])] = True
    if path in postings.file_ids:
        marks[postings.file_ids[path]] = False
    return marks


def _used(view: IndexView, cursor: _RankedPlace) -> list[str]:
    """Return the names that the file uses and some file defines, the nearest to the cursor first."""
    distance = cursor.words.distance
    used = [name for name in distance if name in cursor.uses or distance[name] < FRESH_WORDS]
    used += cursor.short_names
    is_defined, word_ids = _MARKS.of(view.postings), view.postings.word_ids
    known = (name for name in used if is_defined[word_ids.get(name, -1)] or name in view.definitions)
    return list(islice(known, CANDIDATES))


def _best_names(
    view: IndexView, cursor: _RankedPlace, cooccurrence: Cooccurrence, used: Sequence[str], limit: int
) -> list[_NeededName]:
    """Score names without looking at their places; return the best, and those that this file imports."""
    scores = {name: COOCCURRENCE_WEIGHT * math.log1p(score) for name, score in cooccurrence.scores.items()}
    distance = cursor.words.distance
    for name in used:
        away = math.log1p(min(distance.get(name, SHORT_NAME_WORDS), FAR))
        scores[name] = scores.get(name, 0.0) + USED_WEIGHT + DISTANCE_WEIGHT * (math.log1p(FAR) - away)
    for path in sorted(cursor.imported_files)[:IMPORTED_FILES]:
        tops = (definition.name for definition in view.files[path].symbols.definitions if not definition.container)
        for name in islice(tops, NAMES_OF_FILE):
            scores.setdefault(name, 0.0)
    gains = similarity_gains(scores, cursor.words, cursor.surroundings)
    scored = [
        (score + gain - OWN_PENALTY * (name in cursor.own_names), name)
        for (name, score), gain in zip(scores.items(), gains, strict=True)
    ]
    scored.sort(key=lambda row: (-row[0], row[1]))
    kept = limit + NAMES_IN_RESERVE
    likely = scored[: kept + kept // 2]
    likely += [row for row in scored[len(likely) :] if row[1] in cursor.imported_names]
    weighed = []
    shares = _shares_of_siblings(view.postings, cursor, [name for _, name in likely])
    for (score, name), share in zip(likely, shares, strict=True):
        known = view.definitions.get(name)  # a name of the last build may be gone by now
        if known is not None:
            files = known.file_count()
            cost = HOMONYM_PENALTY * math.log2(files - 1) if files > 2 else 0.0  # one of them may be this file's own
            weighed.append(_NeededName(score + (SIBLINGS_WEIGHT * share - cost), name, known, files))
    weighed.sort(key=lambda name: (-name.score, name.name))
    return weighed[:kept]


class _DefinedWords:
    """Which words some file defined at the last build; worked out once for each build."""

    def __init__(self) -> None:
        self._held: tuple[Postings, npt.NDArray[np.bool_]] | None = None

    def of(self, postings: Postings) -> npt.NDArray[np.bool_]:
        """Return a mark for each word, and one more of no word, which is never set."""
        held = self._held
        if held is None or held[0] is not postings:
            marks = np.zeros(len(postings.words) + 1, bool)
            marks[postings.defined_in.columns] = True
            held = self._held = (postings, marks)
        return held[1]


_MARKS = _DefinedWords()


def _shares_of_siblings(postings: Postings, cursor: _RankedPlace, names: Sequence[str]) -> list[float]:
    """Return for each name the share of the files beside this one that use it."""
    if not cursor.sibling_count:
        return [0.0] * len(names)
    words = [postings.word_ids.get(name, -1) for name in names]
    known = [word for word in words if word >= 0]
    users, lengths = postings.users.joined(np.array(known, np.int64))
    owners = np.repeat(np.array(known, np.int64), lengths)[cursor.siblings[users]]
    counts = Counter(owners.tolist())
    return [counts[word] / cursor.sibling_count for word in words]


def _places(cursor: _RankedPlace, name: _NeededName) -> Iterator[_Placed]:
    """Score the places that define a name."""
    paths = name.known.paths(MAX_PLACES)
    others = [(number, path) for number, path in enumerate(paths) if path != cursor.path]
    if not others:
        return
    score = name.score - HOMONYM_PENALTY * (name.files == len(others) == 2)
    reason = "mentioned near the cursor" if name.name in cursor.words.near else ""
    reason = reason or ("used in this file" if name.name in cursor.words.distance else "")
    bare = sorted((-_place_score(cursor, path), path, number) for number, path in others)
    weighed = bare
    if cursor.changed:
        weighed = sorted((loss - _changed(cursor, path), path, number) for loss, path, number in bare)
    resolved = weighed[0][1] in cursor.imported_files
    for place, (loss, path, number) in enumerate(weighed[:PLACES_PER_NAME]):
        imported = path in cursor.imported_files
        kind, start = name.known.kind_and_start(number)
        total = score - loss - OTHER_PLACE_PENALTY * place - UNIMPORTED_PENALTY * (resolved and not imported)
        total += BESIDE_WEIGHT * cursor.sites.beside(path, start) - FIELD_PENALTY * (kind in FIELDS)
        without = total - _changed(cursor, path)
        if weighed is not bare:
            without += OTHER_PLACE_PENALTY * (place - [row[2] for row in bare].index(number))
        why = "imported" if imported and name.name in cursor.imported_names else reason
        why = why or ("in an imported file" if imported else "")
        yield _Placed(total, path, start, without, why, name, number)


def _changed(cursor: _RankedPlace, path: str) -> float:
    return CHANGED_WEIGHT * cursor.changed.get(path, 0.0)


def _place_score(cursor: _RankedPlace, path: str) -> float:
    score = IMPORTED_WEIGHT * (path in cursor.imported_files) + PROXIMITY_WEIGHT * _proximity(cursor.path, path)
    score += RECENT_WEIGHT * (path in cursor.recent)
    score += SAME_FILE_WEIGHT * math.log1p(cursor.sites.share(path))
    return score - TEST_PENALTY * (_is_test(path) and not _is_test(cursor.path))


@lru_cache(maxsize=65_536)
def _proximity(first: str, second: str) -> float:
    """Return the share of folders that two paths have in common, 1 within one folder."""
    ours, theirs = first.split("/")[:-1], second.split("/")[:-1]
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


def stable_order(view: IndexView) -> list[str]:
    """Return all files, those whose definitions are used most by other files first; ties by path.

    A use of a name that several files define counts in equal parts. Call it when a cached prefix is built, not with
    each key.
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
