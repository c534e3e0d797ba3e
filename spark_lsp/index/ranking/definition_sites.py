"""Find the definition sites of names near a cursor: files with many of them, and neighbouring definitions. Pure.

The next definition is often needed from a file that defines the neighbours of the cursor, near one of them.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from spark_lsp.index.storage.view import IndexView

MAX_SITES = 4  # a name with more definitions says nothing about its neighbours' definition sites
DECAY_WORDS = 12
DECAY_CHARACTERS = 600  # some twenty lines: how far a neighbour's nearness reaches within a file


@dataclass(frozen=True, slots=True)
class DefinitionSites:
    """Files with how much of what stands near the cursor they define, and where in them it is defined."""

    shares: Mapping[str, float]
    starts: Mapping[str, list[tuple[int, float]]]
    """Starts of definitions in a file, each with how near to the cursor its name stands."""

    def share(self, path: str) -> float:
        """Return how much a file defines, 0 for none."""
        return self.shares.get(path, 0.0)

    def beside(self, path: str, start: int) -> float:
        """Return how near a place in a file is to a definition whose name stands near the cursor, from 0 to 1."""
        known = self.starts.get(path, ())
        return max((near / (1 + abs(site - start) / DECAY_CHARACTERS) for site, near in known), default=0.0)


def sites_of(view: IndexView, path: str, near: Mapping[str, int]) -> DefinitionSites:
    """Find where the names near a cursor in ``path`` are defined; they come with their places, the nearest first."""
    shares: defaultdict[str, float] = defaultdict(float)
    starts: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for name, place in near.items():
        known = view.definitions.get(name)
        if known is None or len(known) > MAX_SITES:
            continue
        others = [(number, where) for number, where in enumerate(known.paths()) if where != path]
        nearness = 1 / (1 + place / DECAY_WORDS)
        for number, where in others:
            shares[where] += nearness / len(others)
            starts[where].append((known.kind_and_start(number)[1], nearness))
    return DefinitionSites(shares, starts)
