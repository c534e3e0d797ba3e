"""Score a name by its use in its own file, and by the words that it consists of. Pure.

A name that stands a few lines away is likelier to come next than one that stands in the same file. Of the parts that
names share (``parse_reply`` and ``ReplyParser`` share two) rare ones count more, by the names that are compared, so
that nothing has to be counted for the workspace.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from posixpath import basename

from spark_lsp.index.parse.symbols import CLASS_LIKE, Definition
from spark_lsp.index.ranking.nearby_words import Nearby, identifier_parts

# Fitted with the weights of rank.py.
BEFORE_WEIGHT, AFTER_WEIGHT = 0.17, 0.27  # per factor e that its last use above, its first use below, is nearer
NEAR_PENALTY = 1.3  # in the window around the cursor, where the two before have given too much
PARTS_WEIGHT = 0.25
BESIDE_PARTS_WEIGHT = 0.3  # shared with the lines that touch the cursor
FUNCTION_PARTS_WEIGHT = 0.25  # shared with the name of the function around it
OUTER_PARTS_WEIGHT = 0.2  # shared with the names of the class around it and of the file
FAR_LINES = 1500
ROUTINES = frozenset({"function", "method"})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the code around a cursor is called: the function, and the class with the file."""

    function: frozenset[str]
    outer: frozenset[str]


def surroundings_of(path: str, definitions: Iterable[Definition], offset: int) -> Surroundings:
    """Find them; ``definitions`` are the file's own, in order of start."""
    function, inside = "", ""
    for definition in definitions:  # the last that holds the cursor is the innermost
        if definition.span.start <= offset <= definition.span.end:
            function = definition.name if definition.kind in ROUTINES else function
            inside = definition.name if definition.kind in CLASS_LIKE else inside
    return Surroundings(frozenset({function}), frozenset({inside, basename(path).partition(".")[0]}))


def similarity_gains(names: Collection[str], words: Nearby, surroundings: Surroundings) -> Iterator[float]:
    """Yield what each name gains, in their order."""
    likeness = Likeness(names)
    by_near, by_beside = likeness.to(words.near), likeness.to(words.beside)
    by_function, by_outer = likeness.to(surroundings.function), likeness.to(surroundings.outer)
    for name in names:
        gain = -NEAR_PENALTY * (name in words.near)
        gain += BEFORE_WEIGHT * _closeness(words.before.get(name)) + AFTER_WEIGHT * _closeness(words.after.get(name))
        gain += PARTS_WEIGHT * by_near.get(name, 0.0) + BESIDE_PARTS_WEIGHT * by_beside.get(name, 0.0)
        gain += FUNCTION_PARTS_WEIGHT * by_function.get(name, 0.0) + OUTER_PARTS_WEIGHT * by_outer.get(name, 0.0)
        yield gain


class Likeness:
    """The parts of some names, and how rare each is among them."""

    def __init__(self, names: Iterable[str]) -> None:
        """Cut the names and count their parts."""
        self._parts = {name: identifier_parts(name) for name in names}
        self._holders: dict[str, list[str]] = {}
        for name, parts in self._parts.items():
            for part in parts:
                self._holders.setdefault(part, []).append(name)

    def to(self, words: Iterable[str]) -> dict[str, float]:
        """Return for names that share parts with words the logarithm of the sum of the parts' rarity."""
        wanted = sorted({part for word in words for part in identifier_parts(word)} & self._holders.keys())
        sums: Counter[str] = Counter()
        for part in wanted:
            holders = self._holders[part]
            rarity = math.log(len(self._parts) / len(holders))
            for name in holders:
                sums[name] += rarity  # type: ignore[assignment]
        return {name: math.log1p(total) for name, total in sums.items() if total > 0}


def _closeness(lines: int | None) -> float:
    return 0.0 if lines is None or lines >= FAR_LINES else math.log(FAR_LINES / (1 + lines))
