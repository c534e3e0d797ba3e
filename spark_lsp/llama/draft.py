"""Guesses of what an answer says next, copied from texts that it is likely to repeat. Pure: never asks the model.

A guess is only ever a proposal: the model decides each token, so a wrong one costs time and never changes the answer.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from spark_lsp.llama.cache import Tokens

LONGEST_NGRAM: Final = 8
"""More equal tokens than this do not make a place likelier."""
SHORTEST_NGRAM: Final = 3
"""Two tokens such as `):` and a line break are found everywhere and say nothing about what follows."""
SHORTEST_NGRAM_NEAR: Final = 2
"""Just ahead of where a rewrite stands two tokens say enough: there is little else that they could be."""
NEAR_TOKENS: Final = 64
"""How far ahead of the cursor is near: some five lines of code, as many as a rewrite drops or merges at once."""

_TAIL: Final = 16
_MOST_CANDIDATES: Final = 16_384  # places of one token that are looked at; keeps a source of one token under 1 ms
_MOST_COMPARED: Final = 4_096  # places of a pair of tokens that are compared to the full n-gram
_LONGEST_REPLACED: Final = 8  # an old name of more tokens is not remembered as replaced

_Places = npt.NDArray[np.int64]
_Place = tuple[int, int]
"""Number of a source, and the token in it that is to come next."""


class Drafter:
    """Guesses what comes next from texts that the answer is likely to repeat.

    In the first source, the region being rewritten, a cursor follows the answer.
    Where the answer leaves the region by one token, as for a renamed thing, the guess goes on behind that token;
    otherwise it goes on at the nearest place ahead whose last tokens are the answer's.
    In every other place the newest one with the longest run of equal tokens counts, as in prompt lookup decoding.
    """

    def __init__(self, sources: Sequence[Tokens]) -> None:
        """Take the sources, likeliest first: the region being rewritten, the file around the cursor, the trunk.

        Any may be empty; without a rewrite the first one is. They must not change as long as the drafter lives.
        """
        self._sources = tuple(_Source(tokens) for tokens in sources)
        self._cursor = 0
        """The token of the region that the rewrite has come to."""
        self._awaited: _Place | None = None
        """Where the newest token of the answer lies if the last guess goes on."""
        self._started = False
        self._left_at: int | None = None
        """The token of the region that the answer replaced, until it is found again behind it."""
        self._replacements: dict[int, tuple[int, list[int]]] = {}
        """What was replaced before: the first old token, then how many old ones and by which new ones."""
        self._replacing: tuple[list[int], int] | None = None
        """New tokens that are being written out as before, and where in the region the answer goes on then."""

    def draft(self, answer_tail: Tokens, most: int) -> Tokens:
        """Return up to ``most`` tokens that are likely to come next; none when nothing is known.

        ``answer_tail`` holds the last tokens of prompt and answer, 16 at least where there are as many.
        Meant to be called once for each decode, also with ``most`` 0, which looks nothing up;
        after decodes without a call it finds its place again by itself.
        """
        if not self._sources:
            return _nothing()
        tail: list[int] = np.asarray(answer_tail).ravel()[-_TAIL:].tolist()
        place = self._start(tail) or self._going_on(tail)
        if place is None and most > 0:
            place = self._realigned(tail) or self._elsewhere(tail)
        self._awaited = place
        if place is None:
            return _nothing()
        number, at = place
        return self._sources[number].tokens[at : at + max(0, most)].copy()

    def accepted(self, drafted: int, accepted: int) -> None:
        """Take in what became of the last draft: how many tokens were tried, and how many the model agreed with."""
        if self._awaited is None or drafted <= 0:
            return
        number, start = self._awaited
        right = min(max(0, accepted), drafted)
        self._awaited = number, start + right
        if right and number == 0:
            # Only now: a guess that found no favour must not move the cursor past text that is still to come.
            self._cursor = start + right
            self._left_at = None

    def _start(self, tail: list[int]) -> _Place | None:
        """The first guess: a rewrite begins as the region does, and may have done so by one token already."""
        if self._started:
            return None
        self._started = True
        region = self._sources[0].tokens
        if len(region) > 1 and tail and tail[-1] == region[0]:
            self._cursor = 1
            return 0, 1
        return (0, 0) if len(region) else None

    def _going_on(self, tail: list[int]) -> _Place | None:
        """Follow the last guess without looking anything up: it was right so far, or one thing was replaced."""
        if self._awaited is None:
            return self._behind_known_replacement(tail)
        number, at = self._awaited
        tokens = self._sources[number].tokens
        if not tail or at >= len(tokens):
            return None
        if at and (len(tail) < 2 or tail[-2] != tokens[at - 1]):
            return self._behind_known_replacement(tail)
        if tail[-1] == tokens[at]:
            if number == 0:
                self._cursor = at + 1
            return (number, at + 1) if at + 1 < len(tokens) else None
        return self._behind_replaced(tail, at) if number == 0 and at else None

    def _behind_replaced(self, tail: list[int], at: int) -> _Place | None:
        """Guess where the region goes on behind a token that the answer has just replaced."""
        self._cursor, self._left_at = at, at
        old_count, new = self._replacements.get(int(self._sources[0].tokens[at]), (1, tail[-1:]))
        if new[0] != tail[-1]:
            old_count, new = 1, tail[-1:]
        self._replacing = new, at + old_count
        return self._behind_known_replacement(tail)

    def _behind_known_replacement(self, tail: list[int]) -> _Place | None:
        """Wait until a replacement is written out; then go on behind what it replaced."""
        if self._replacing is None:
            return None
        new, behind = self._replacing
        if tail[-len(new) :] == new:
            self._replacing = None
            return (0, behind) if behind < len(self._sources[0].tokens) else None
        return None

    def _realigned(self, tail: list[int]) -> _Place | None:
        """Find the answer again in the region: nearest place at or after the cursor, of the longest n-gram."""
        region = self._sources[0]
        ends, lengths = region.matches(tail, first=self._cursor)
        near = ends <= self._cursor + NEAR_TOKENS
        for fits in (near & (lengths >= SHORTEST_NGRAM_NEAR), lengths >= SHORTEST_NGRAM):
            if fits.any():
                longest = int(np.argmax(np.where(fits, lengths, 0)))  # the first of equals, so the nearest
                at, length = int(ends[longest]), int(lengths[longest])
                self._remember_replacement(tail, at - length, length)
                self._replacing = None
                return 0, at
        return None

    def _remember_replacement(self, tail: list[int], old_end: int, same: int) -> None:
        """Note what the answer put in place of what, so that the next of its kind costs no search."""
        start, self._left_at = self._left_at, None
        if not start or not 0 <= old_end - start <= _LONGEST_REPLACED:
            return
        tokens = self._sources[0].tokens
        new = tail[: len(tail) - same]
        before = int(tokens[start - 1])
        if before in new:
            new = new[len(new) - new[::-1].index(before) :]
            if new:
                self._replacements[int(tokens[start])] = old_end - start, new

    def _elsewhere(self, tail: list[int]) -> _Place | None:
        """Find the newest place with the longest n-gram in any source; of equal ones the likelier source wins."""
        best: _Place | None = None
        longest = SHORTEST_NGRAM - 1
        for number, source in enumerate(self._sources):
            ends, lengths = source.matches(tail)
            if len(ends) and int(lengths.max()) > longest:
                newest = len(ends) - 1 - int(np.argmax(lengths[::-1]))
                best, longest = (number, int(ends[newest])), int(lengths[newest])
                if longest == LONGEST_NGRAM:
                    break
        return best


class _Source:
    """A text to guess from, and the places of each token that was looked for.

    A place is kept under the one token that it ends with, so the memory of what was found is never larger than
    the text is long, and a token is looked for once however often the answer says it.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens: Tokens = np.asarray(tokens, np.int32).ravel()
        self._ends: dict[int, _Places] = {}

    def matches(self, tail: list[int], first: int | None = None) -> tuple[_Places, _Places]:
        """Return where the last two or more tokens of ``tail`` end, in order, and how many are equal, 8 at most.

        With ``first``, only places from there on, the nearest where there are too many to compare; else the newest.
        """
        if len(tail) < 2 or len(self.tokens) < 3:
            return _NOWHERE, _NOWHERE
        ends = self._ends_of(tail[-1])
        if first is None:
            ends = ends[-_MOST_CANDIDATES:]
        else:
            begin = int(np.searchsorted(ends, first))
            ends = ends[begin : begin + _MOST_CANDIDATES]
        if not len(ends):
            return ends, ends
        ends = ends[self.tokens[ends - 2] == tail[-2]]
        ends = ends[-_MOST_COMPARED:] if first is None else ends[:_MOST_COMPARED]
        return ends, self._lengths(ends, tail[-LONGEST_NGRAM:])

    def _ends_of(self, token: int) -> _Places:
        """Places right behind a token that still have something behind them, and a token before it."""
        ends = self._ends.get(token)
        if ends is None:
            ends = np.flatnonzero(self.tokens[1:-1] == token) + 2
            self._ends[token] = ends
        return ends

    def _lengths(self, ends: _Places, tail: list[int]) -> _Places:
        """How many of the last tokens are equal at each place, given that two are."""
        lengths = np.full(len(ends), 2, np.int64)
        alive = np.arange(len(ends))
        for back in range(3, len(tail) + 1):
            places = ends[alive] - back
            alive = alive[(places >= 0) & (self.tokens[places] == tail[-back])]
            if not len(alive):
                break
            lengths[alive] = back
        return lengths


_NOWHERE: Final[_Places] = np.empty(0, np.int64)


def _nothing() -> Tokens:
    return np.empty(0, np.int32)
