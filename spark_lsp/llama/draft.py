"""Guesses of what an answer says next, copied from texts that it is likely to repeat. Pure: never asks the model.

A guess is only ever a proposal: the model decides each token, so a wrong one costs time and never changes the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

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
MOST_REPLACEMENTS: Final = 32
"""A name has a handful of token runs, by what stands before it; a rewrite changes a handful of names."""

_TAIL: Final = 16
_MOST_CANDIDATES: Final = 16_384  # places of one token that are looked at; keeps a source of one token under 1 ms
_MOST_COMPARED: Final = 4_096  # places of a pair of tokens that are compared to the full n-gram
_LONGEST_REPLACED: Final = 8  # an old name of more tokens is not remembered as replaced
_SAID_BEFORE: Final = 3  # tokens before a new name by which it is found in the answer again

_Places = npt.NDArray[np.int64]


class Drafter:
    """Guesses what comes next from texts that the answer is likely to repeat.

    In the first source, the region being rewritten, a cursor follows the answer.
    Where the answer leaves the region by one token, as for a renamed thing, the guess goes on behind that token;
    otherwise it goes on at the nearest place ahead whose last tokens are the answer's.
    What the answer put in place of what is remembered, and further guesses from the region carry it out:
    a rename is guessed across the names once each way to write the name was seen.
    In every other place the newest one with the longest run of equal tokens counts, as in prompt lookup decoding.
    """

    def __init__(self, sources: Sequence[Tokens]) -> None:
        """Take the sources, likeliest first: the region being rewritten, the file around the cursor, the trunk.

        Any may be empty; without a rewrite the first one is. They must not change as long as the drafter lives.
        """
        self._sources = tuple(_Source(tokens) for tokens in sources)
        self._learned = _Replacements(self._sources[0].tokens if sources else _nothing())
        self._cursor = 0
        """The token of the region that the rewrite has come to."""
        self._awaited: _Place | None = None
        """What the newest token of the answer is if the last guess goes on."""
        self._newest: int | None = None
        """The token of the answer before that one."""
        self._drafted = _nothing()
        self._runs: list[tuple[int, _Place]] = []
        """Where each run of the last draft from the region begins: in the draft, and in the region."""
        self._started = False
        self._left: _Left | None = None

    @property
    def replacements(self) -> list[tuple[list[int], list[int]]]:
        """Old tokens of the region and what the answer says instead, newest last."""
        return [(list(one.old), list(one.new)) for one in self._learned.newest_last]

    def draft(self, answer_tail: Tokens, most: int) -> Tokens:
        """Return up to ``most`` tokens that are likely to come next; none when nothing is known.

        They are a run of one source; in a run of the region what was replaced before is replaced again.
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
        self._awaited, self._newest = place, tail[-1] if tail else None
        if place is None:
            return _nothing()
        if place.source:
            self._drafted = self._sources[place.source].tokens[place.at : place.at + max(0, most)]
        else:
            self._drafted, self._runs = self._learned.carried_out(place, max(0, most))
        return self._drafted.copy()

    def accepted(self, drafted: int, accepted: int) -> None:
        """Take in what became of the last draft: how many tokens were tried, and how many the model agreed with."""
        right = min(accepted, drafted, len(self._drafted))
        if self._awaited is None or right <= 0:
            return
        self._newest = int(self._drafted[right - 1])
        if self._awaited.source:
            self._awaited = self._awaited.after(right)
            return
        # Only now: a guess that found no favour must not move the cursor past text that is still to come.
        self._found_again(self._awaited)
        for begin, run in self._runs:
            if begin > right:
                break
            self._awaited = run.after(right - begin)
            if run.replacement is not None and self._awaited.replacement is None:
                self._learned.was_right(run.replacement, run.at)
        self._cursor = self._awaited.at
        self._runs = []

    def _start(self, tail: list[int]) -> "_Place | None":
        """The first guess: a rewrite begins as the region does, and may have done so by one token already."""
        if self._started:
            return None
        self._started = True
        region = self._sources[0].tokens
        if len(region) > 1 and tail and tail[-1] == region[0]:
            self._cursor = 1
            return _Place(0, 1)
        return _Place(0, 0) if len(region) else None

    def _going_on(self, tail: list[int]) -> "_Place | None":
        """Follow the last guess without looking anything up: it was right so far, or one thing was replaced."""
        place = self._awaited
        if place is None or not tail or (self._newest is not None and tail[-2:-1] != [self._newest]):
            return None
        tokens = self._sources[place.source].tokens
        if place.at >= len(tokens):
            return None
        if place.source == 0 and place.replacement is None:
            place = _Place(0, place.at, self._learned.at(place.at))
        replacement = place.replacement
        expected = int(tokens[place.at]) if replacement is None else replacement.new[place.written]
        if tail[-1] != expected:
            # A guess behind a replaced token that was wrong too: where the region goes on has to be looked up.
            return None if place.source or place.at == 0 or self._left is not None else self._departed(tail, place)
        if place.source == 0:
            self._found_again(place)
            self._cursor = place.after(1).at
            if replacement is not None and place.written + 1 == len(replacement.new):
                self._learned.was_right(replacement, place.at)
        return self._if_any(place.after(1))

    def _departed(self, tail: list[int], place: "_Place") -> "_Place | None":
        """Guess how it goes on where the answer has just said something else than the region, or than was learned."""
        at, replacement, written = place.at, place.replacement, place.written
        said = tail[-1:] if replacement is None else [*replacement.new[:written], tail[-1]]
        self._cursor = at
        if replacement is not None:
            self._learned.was_wrong(replacement, at)
            if self._sources[0].tokens[at : at + len(said)].tolist() == said:
                self._cursor = at + len(said)
                return self._if_any(_Place(0, self._cursor))
        other = self._learned.begun(at, said)
        if other is not None:
            return self._if_any(_Place(0, at, other).after(len(said)))
        self._left = _Left(at, tail[-len(said) - _SAID_BEFORE :], len(said))
        return self._if_any(_Place(0, at + 1)) if written == 0 else None

    def _if_any(self, place: "_Place") -> "_Place | None":
        return place if place.at < len(self._sources[place.source].tokens) else None

    def _found_again(self, place: "_Place") -> None:
        """The answer goes on in the region at a place; if that is behind one new token, this replaced the old one."""
        left, self._left = self._left, None
        if left is not None and left.written == 1 and place == _Place(0, left.at + 1):
            self._learned.remember([int(self._sources[0].tokens[left.at])], left.tail[-1:], left.at)

    def _realigned(self, tail: list[int]) -> "_Place | None":
        """Find the answer again in the region: nearest place at or after the cursor, of the longest n-gram."""
        region = self._sources[0]
        ends, lengths = region.matches(tail, first=self._cursor)
        near = ends <= self._cursor + NEAR_TOKENS
        for fits in (near & (lengths >= SHORTEST_NGRAM_NEAR), lengths >= SHORTEST_NGRAM):
            if fits.any():
                longest = int(np.argmax(np.where(fits, lengths, 0)))  # the first of equals, so the nearest
                at, length = int(ends[longest]), int(lengths[longest])
                left, self._left = self._left, None
                if left is not None:
                    self._learned.learn(left, tail, at, length)
                return _Place(0, at)
        return None

    def _elsewhere(self, tail: list[int]) -> "_Place | None":
        """Find the newest place with the longest n-gram in any source; of equal ones the likelier source wins."""
        best: _Place | None = None
        longest = SHORTEST_NGRAM - 1
        for number, source in enumerate(self._sources):
            ends, lengths = source.matches(tail)
            if len(ends) and int(lengths.max()) > longest:
                newest = len(ends) - 1 - int(np.argmax(lengths[::-1]))
                best, longest = _Place(number, int(ends[newest])), int(lengths[newest])
                if longest == LONGEST_NGRAM:
                    break
        return best


@dataclass(slots=True, eq=False)
class _Replacement:
    """Old tokens of the region that the answer replaces by new ones, and how often that was so."""

    old: list[int]
    new: list[int]
    right: int = 0
    wrong_between: set[tuple[int, int]] = field(default_factory=set)
    """Tokens before and behind the old ones where something else was said."""


class _Place(NamedTuple):
    """What comes next: a token of a source, or of what is written instead of it."""

    source: int
    at: int
    """The token that comes next, or with which what is replaced begins."""
    replacement: _Replacement | None = None
    written: int = 0
    """How many of the new tokens were said already."""

    def after(self, count: int) -> "_Place":
        """Return the place behind ``count`` further tokens of the source, or of the new ones, which end it."""
        if self.replacement is None:
            return _Place(self.source, self.at + count)
        written = self.written + count
        if written < len(self.replacement.new):
            return self._replace(written=written)
        return _Place(self.source, self.at + len(self.replacement.old))


class _Left(NamedTuple):
    """Where the answer left the region for something unknown, until it is found again."""

    at: int
    tail: list[int]
    """The last tokens of the answer then."""
    written: int
    """How many of them were said instead of the region's."""


class _Replacements:
    """What an answer put in place of what in the region: the newest of each kind counts."""

    def __init__(self, region: Tokens) -> None:
        self.newest_last: list[_Replacement] = []
        self._region = region
        self._by_first: dict[int, list[_Replacement]] = {}
        """The same by the first old token."""

    def carried_out(self, place: _Place, most: int) -> tuple[Tokens, list[tuple[int, _Place]]]:
        """Return what follows at a place of the region, and where each run of it begins, here and in the region."""
        at, guess, runs = place.at, list[int](), [(0, place)]
        if place.replacement is not None:
            guess += place.replacement.new[place.written :]
            at += len(place.replacement.old)
        elif not self._by_first:
            return self._region[at : at + most], runs
        while len(guess) < most and at < len(self._region):
            window: list[int] = self._region[at : at + most - len(guess)].tolist()
            found = None
            for ahead, token in enumerate(window):
                if token in self._by_first and (found := self.at(at + ahead)) is not None:
                    window = window[:ahead]
                    break
            runs.append((len(guess), _Place(0, at)))
            guess += window
            at += len(window)
            if found is not None:
                runs.append((len(guess), _Place(0, at, found)))
                guess += found.new
                at += len(found.old)
        return np.array(guess[:most], np.int32), runs

    def at(self, at: int) -> _Replacement | None:
        """Return the newest replacement of what begins at a token, but for those that were wrong in such a place."""
        for one in reversed(self._by_first.get(int(self._region[at]), ())):
            if self._lies_at(one, at) and self._around(one, at) not in one.wrong_between:
                return one
        return None

    def begun(self, at: int, said: list[int]) -> _Replacement | None:
        """Return the newest replacement of what begins at a token whose new tokens begin as was said."""
        for one in reversed(self._by_first.get(int(self._region[at]), ())):
            if one.new[: len(said)] == said and self._lies_at(one, at):
                return one
        return None

    def was_right(self, one: _Replacement, at: int) -> None:
        """Count a replacement that was said."""
        one.right += 1
        one.wrong_between.discard(self._around(one, at))

    def was_wrong(self, one: _Replacement, at: int) -> None:
        """Forget a replacement that was not said, unless it is more often right: then do without in such places."""
        one.wrong_between.add(self._around(one, at))
        if len(one.wrong_between) > one.right:
            self._forget(one)

    def learn(self, left: _Left, tail: list[int], at: int, same: int) -> None:
        """Note what the answer said from where it left the region to ``same`` tokens before it was found ``at``."""
        ends = range(len(tail), len(left.tail) - 1, -1)
        end = next((end for end in ends if tail[end - len(left.tail) : end] == left.tail), None)
        if end is None:
            return
        begin = end - left.written
        same = min(same, at - left.at, len(tail) - begin)
        if same <= 0 or at - same - left.at > _LONGEST_REPLACED:
            return
        old: list[int] = self._region[left.at : at - same].tolist()
        new = tail[begin : len(tail) - same]
        if old and new:
            self.remember(old, new, left.at)
        elif old or new:
            self._remember_between(tail[max(0, begin - 1) : begin], old, new, tail[-same:][:1], left.at)

    def remember(self, old: list[int], new: list[int], at: int) -> None:
        """Make a replacement that was said at a token the newest, and forget the oldest of too many."""
        one = next((one for one in self.newest_last if (one.old, one.new) == (old, new)), None)
        if one is None:
            one = _Replacement(old, new)
        else:
            self._forget(one)
        self.was_right(one, at)
        self.newest_last.append(one)
        self._by_first.setdefault(old[0], []).append(one)
        if len(self.newest_last) > MOST_REPLACEMENTS:
            self._forget(self.newest_last[0])

    def _remember_between(self, before: list[int], old: list[int], new: list[int], behind: list[int], at: int) -> None:
        """Note what was inserted or dropped between two tokens; the second time by the one that is the same again."""
        if not before or int(self._region[at - 1]) != before[0]:
            return None
        ahead, after = (before + old, before + new), (old + behind, new + behind)
        for one in self.newest_last:
            if ahead in ((one.old, one.new), (one.old[:-1], one.new[:-1])):
                return self.remember(*ahead, at - 1)
            if after in ((one.old, one.new), (one.old[1:], one.new[1:])):
                return self.remember(*after, at)
        return self.remember(before + old + behind, before + new + behind, at - 1)

    def _forget(self, one: _Replacement) -> None:
        self.newest_last.remove(one)
        alike = self._by_first[one.old[0]]
        alike.remove(one)
        if not alike:
            del self._by_first[one.old[0]]

    def _lies_at(self, one: _Replacement, at: int) -> bool:
        return len(one.old) == 1 or self._region[at : at + len(one.old)].tolist() == one.old

    def _around(self, one: _Replacement, at: int) -> tuple[int, int]:
        """The tokens before and behind what is replaced at a token, -1 where there is none."""
        end = at + len(one.old)
        return int(self._region[at - 1]) if at else -1, int(self._region[end]) if end < len(self._region) else -1


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
