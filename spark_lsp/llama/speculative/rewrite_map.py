"""What an answer put in place of what while it rewrites a region, so that guesses carry it out. Pure: no model.

A rename is one such replacement for each way in which the tokens of the code write the name.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from spark_lsp.llama.kv.cells import Tokens

MAX_REPLACEMENTS: Final = 32
"""A name has a handful of token runs, by what stands before it; a rewrite changes a handful of names."""
MAX_REPLACED_TOKENS: Final = 8
"""An old name of more tokens is not remembered as replaced."""


@dataclass(slots=True, eq=False)
class Replacement:
    """Old tokens of the region that the answer replaces by new ones, and how often that was so."""

    old: list[int]
    new: list[int]
    right: int = 0
    wrong_between: set[tuple[int, int]] = field(default_factory=set)
    """Tokens before and behind the old ones where something else was said."""


class DraftPlace(NamedTuple):
    """What comes next: a token of a source, or of what is written instead of it."""

    source: int
    at: int
    """The token that comes next, or with which what is replaced begins."""
    replacement: Replacement | None = None
    written: int = 0
    """How many of the new tokens were said already."""

    def after(self, count: int) -> "DraftPlace":
        """Return the place behind ``count`` further tokens of the source, or of the new ones, which end it."""
        if self.replacement is None:
            return DraftPlace(self.source, self.at + count)
        written = self.written + count
        if written < len(self.replacement.new):
            return self._replace(written=written)
        return DraftPlace(self.source, self.at + len(self.replacement.old))


class Departure(NamedTuple):
    """Where the answer left the region for something unknown, until it is found again."""

    at: int
    tail: list[int]
    """The last tokens of the answer then."""
    written: int
    """How many of them were said instead of the region's."""


class Realignment(NamedTuple):
    """Where the answer was found again that had left the region, until it goes on there."""

    left: Departure
    at: int
    same: int
    """How many tokens before this one are the last ones of the answer."""
    learned: Replacement | None
    """What was replaced if the answer does go on there."""


class RewriteMap:
    """What an answer put in place of what in the region, 32 at most: of those that fit a place the newest counts."""

    def __init__(self, region: Tokens) -> None:
        self.newest_last: list[Replacement] = []
        self._region = region
        self._by_first: dict[int, list[Replacement]] = {}
        """The same by the first old token."""

    def carried_out(self, place: DraftPlace, most: int) -> tuple[Tokens, list[tuple[int, DraftPlace]]]:
        """Return what follows at a place of the region, and where each run of it begins, here and in the region."""
        at, guess, runs = place.at, list[int](), [(0, place)]
        if place.replacement is not None:
            guess += place.replacement.new[place.written :]
            at += len(place.replacement.old)
        elif not self._by_first:
            return self._region[at : at + most], runs
        while len(guess) < most and at < len(self._region):
            window: list[int] = self._region[at : at + most - len(guess)].tolist()
            known = None
            for ahead, token in enumerate(window):
                if token in self._by_first and (known := self.at(at + ahead)) is not None:
                    window = window[:ahead]
                    break
            runs.append((len(guess), DraftPlace(0, at)))
            guess += window
            at += len(window)
            if known is not None:
                runs.append((len(guess), DraftPlace(0, at, known)))
                guess += known.new
                at += len(known.old)
        return np.array(guess[:most], np.int32), runs

    def at(self, at: int) -> Replacement | None:
        """Return the newest replacement of what begins at a token, but for those that were wrong in such a place."""
        for rewrite in reversed(self._by_first.get(int(self._region[at]), ())):
            if self._lies_at(rewrite, at) and self._around(rewrite, at) not in rewrite.wrong_between:
                return rewrite
        return None

    def begun(self, at: int, answered: list[int]) -> Replacement | None:
        """Return the newest replacement of what begins at a token whose new tokens begin as was said."""
        for rewrite in reversed(self._by_first.get(int(self._region[at]), ())):
            if rewrite.new[: len(answered)] == answered and self._lies_at(rewrite, at):
                return rewrite
        return None

    def alike(self, at: int, answered: list[int]) -> Replacement | None:
        """Guess a replacement by another way to write the same name: only their first tokens differ as a rule."""
        for rewrite in reversed(self.newest_last):
            if len(rewrite.new) > 1:
                old: list[int] = self._region[at : at + MAX_REPLACED_TOKENS].tolist()
                if len(rewrite.old) == 1:
                    return Replacement(old[:1], answered + rewrite.new[1:])
                if rewrite.old[-1] in old[1:]:
                    return Replacement(old[: old.index(rewrite.old[-1], 1) + 1], answered + rewrite.new[1:])
        return None

    def has(self, rewrite: Replacement) -> bool:
        """Return whether a replacement is remembered, not just a guess or forgotten."""
        return rewrite in self.newest_last

    def was_wrong(self, rewrite: Replacement, at: int) -> None:
        """Do without a replacement in such places as where it was not said; forget it unless it was oftener right."""
        rewrite.wrong_between.add(self._around(rewrite, at))
        if len(rewrite.wrong_between) >= rewrite.right and self.has(rewrite):
            self._forget(rewrite)

    def learn(self, left: Departure, tail: list[int], at: int, same: int) -> Replacement | None:
        """Note what the answer said from where it left the region to ``same`` tokens before it was found ``at``."""
        end = next((end for end in range(len(tail), left.written, -1) if _ends(tail[:end], left.tail)), None)
        if end is None:
            return None
        begin = end - left.written
        same = min(same, at - left.at, len(tail) - begin)
        if same <= 0 or at - same - left.at > MAX_REPLACED_TOKENS:
            return None
        old: list[int] = self._region[left.at : at - same].tolist()
        new = tail[begin : len(tail) - same]
        if old and new:
            return self.remember(old, new, left.at)
        return self._remember_between(tail[begin - 1 : begin], old, new, tail[-same:][:1], left.at)

    def take_back(self, rewrite: Replacement | None) -> None:
        """Undo that a replacement was learned: the answer was found at a wrong place."""
        if rewrite is not None and self.has(rewrite):
            rewrite.right -= 1
            if rewrite.right <= 0:
                self._forget(rewrite)

    def remember(self, old: list[int], new: list[int], at: int) -> Replacement:
        """Make a replacement that was said at a token the newest, and forget the oldest of too many."""
        rewrite = next((rewrite for rewrite in self.newest_last if (rewrite.old, rewrite.new) == (old, new)), None)
        if rewrite is None:
            rewrite = Replacement(old, new)
        else:
            self._forget(rewrite)
        rewrite.right += 1
        rewrite.wrong_between.discard(self._around(rewrite, at))
        self.newest_last.append(rewrite)
        self._by_first.setdefault(old[0], []).append(rewrite)
        if len(self.newest_last) > MAX_REPLACEMENTS:
            self._forget(self.newest_last[0])
        return rewrite

    def _remember_between(
        self, before: list[int], old: list[int], new: list[int], behind: list[int], at: int
    ) -> Replacement | None:
        """Note what was inserted or dropped between two tokens; the second time by the one that is the same again."""
        if (not old and not new) or int(self._region[at - 1]) != before[0]:
            return None
        ahead, after = (before + old, before + new), (old + behind, new + behind)
        for rewrite in self.newest_last:
            if ahead in ((rewrite.old, rewrite.new), (rewrite.old[:-1], rewrite.new[:-1])):
                return self.remember(*ahead, at - 1)
            if after in ((rewrite.old, rewrite.new), (rewrite.old[1:], rewrite.new[1:])):
                return self.remember(*after, at)
        return self.remember(before + old + behind, before + new + behind, at - 1)

    def _forget(self, rewrite: Replacement) -> None:
        self.newest_last.remove(rewrite)
        alike = self._by_first[rewrite.old[0]]
        alike.remove(rewrite)
        if not alike:
            del self._by_first[rewrite.old[0]]

    def _lies_at(self, rewrite: Replacement, at: int) -> bool:
        return len(rewrite.old) == 1 or self._region[at : at + len(rewrite.old)].tolist() == rewrite.old

    def _around(self, rewrite: Replacement, at: int) -> tuple[int, int]:
        """The tokens before and behind what is replaced at a token, -1 where there is none."""
        end = at + len(rewrite.old)
        return int(self._region[at - 1]) if at else -1, int(self._region[end]) if end < len(self._region) else -1


def _ends(tokens: list[int], tail: list[int]) -> bool:
    """Return whether tokens end as a tail does, as far as both reach."""
    same = min(len(tokens), len(tail))
    return tokens[-same:] == tail[-same:]
