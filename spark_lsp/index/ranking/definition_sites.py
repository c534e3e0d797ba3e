"""Where the names near a cursor are defined: files that hold many of them, and places in those files beside one. Pure.

What comes next often stands where its company stands: in the same file, and within some lines of it.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from spark_lsp.index.storage.view import IndexView

HOME_PLACES = 4  # a name with more tells nothing about where its company is defined
DECAY_WORDS = 12
DECAY_CHARACTERS = 600  # some twenty lines: how far a neighbour's nearness reaches within a file


@dataclass(frozen=True, slots=True)
class Homes:
    """Files with how much of what stands near the cursor they define, and where in them it is defined."""

    shares: Mapping[str, float]
    starts: Mapping[str, list[tuple[int, float]]]
    """Starts of definitions in a file, each with how near to the cursor its name stands."""

    def share(self, path: str) -> float:
        """Return how much a file defines, 0 for none."""
        return self.shares.get(path, 0.0)

    def beside(self, path: str, start: int) -> float:
        """Return how near a place in a file lies to a definition whose name stands near the cursor, from 0 to 1."""
        known = self.starts.get(path, ())
        return max((near / (1 + abs(each - start) / DECAY_CHARACTERS) for each, near in known), default=0.0)


def homes_of(view: IndexView, path: str, near: Mapping[str, int]) -> Homes:
    """Find the homes of names near a cursor in ``path``, which are given with their places, the nearest first."""
    shares: defaultdict[str, float] = defaultdict(float)
    starts: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for name, place in near.items():
        known = view.definitions.get(name)
        if known is None or len(known) > HOME_PLACES:
            continue
        others = [(number, where) for number, where in enumerate(known.paths()) if where != path]
        nearness = 1 / (1 + place / DECAY_WORDS)
        for number, where in others:
            shares[where] += nearness / len(others)
            starts[where].append((known.kind_and_start(number)[1], nearness))
    return Homes(shares, starts)
