"""Guesses of what an answer says next, copied from texts that it is likely to repeat. Pure: never asks the model.

A guess is only ever a proposal: the model decides each token, so a wrong one costs time and never changes the answer.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from spark_lsp.llama.kv.cells import Tokens
from spark_lsp.llama.speculative.rewrite_map import MAX_REPLACED_TOKENS, Departure, DraftPlace, Realignment, RewriteMap

MAX_NGRAM: Final = 8
"""More equal tokens than this do not make a place likelier."""
MIN_NGRAM: Final = 3
"""Two tokens such as `):` and a line break are found everywhere and say nothing about what follows."""
MIN_NGRAM_NEAR: Final = 2
"""Just ahead of where a rewrite stands two tokens say enough: there is little else that they could be."""
NEAR_TOKENS: Final = 64
"""How far ahead of the cursor is near: some five lines of code, as many as a rewrite drops or merges at once."""

_TAIL: Final = 16
_MAX_CANDIDATES: Final = 16_384  # places of one token that are looked at; keeps a source of one token under 1 ms
_MAX_COMPARED: Final = 4_096  # places of a pair of tokens that are compared to the full n-gram
_MAX_FIRST: Final = 2  # tokens by which two ways to write a name are taken to differ
_SAID_BEFORE: Final = 3  # tokens before a new name by which it is found in the answer again

_TokenPlaces = npt.NDArray[np.int64]


class PromptLookupDrafter:
    """Guesses what comes next from texts that the answer is likely to repeat.

    In the first source, the region being rewritten, a cursor follows the answer.
    Where the answer leaves the region by one token, as for a renamed thing, the guess goes on behind that token;
    otherwise it goes on at the nearest place ahead whose last tokens are the answer's.
    What the answer put in place of what is remembered, and further guesses from the region carry it out:
    so a rename is guessed across the names once each way in which tokens write the name was seen,
    and the first token or two of another way to write it give the rest of the new name.
    In every other place the newest one with the longest run of equal tokens counts, as in prompt lookup decoding.
    """

    def __init__(self, sources: Sequence[Tokens]) -> None:
        """Take the sources, likeliest first: the region being rewritten, the file around the cursor, the cached prefix.

        Any may be empty; without a rewrite the first one is. They must not change as long as the drafter lives.
        """
        self._sources = tuple(_GuessText(tokens) for tokens in sources)
        self._learned = RewriteMap(self._sources[0].tokens if sources else _nothing())
        self._cursor = 0
        """The token of the region that the rewrite has come to."""
        self._awaited: DraftPlace | None = None
        """What the newest token of the answer is if the last guess goes on."""
        self._newest: int | None = None
        """The token of the answer before that one."""
        self._drafted = _nothing()
        self._runs: list[tuple[int, DraftPlace]] = []
        """Where each run of the last draft from the region begins: in the draft, and in the region."""
        self._started = False
        self._left: Departure | None = None
        """Set while the answer says something unknown instead of the region."""
        self._found: Realignment | None = None
        """Set from where it was found in the region again until it goes on there."""

    @property
    def replacements(self) -> list[tuple[list[int], list[int]]]:
        """Old tokens of the region and what the answer says instead, newest last."""
        return [(list(replacement.old), list(replacement.new)) for replacement in self._learned.newest_last]

    def draft(self, answer_tail: Tokens, most: int) -> Tokens:
        """Return up to ``most`` tokens that are likely to come next; none when nothing is known.

        They are a run of one source; in one of the region what was replaced before is replaced again.
        ``answer_tail`` holds the last tokens of prompt and answer, 16 at least where there are as many.
        Meant to be called once for each decode, also with ``most`` 0, which looks nothing up;
        after decodes without a call it finds its place again by itself.
        """
        if not self._sources:
            return _nothing()
        tail: list[int] = np.asarray(answer_tail).ravel()[-_TAIL:].tolist()
        place = self._start(tail) or self._going_on(tail, may_look_up=most > 0)
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
                self._learned.remember(run.replacement.old, run.replacement.new, run.at)
        self._cursor = self._awaited.at
        self._runs = []

    def _start(self, tail: list[int]) -> DraftPlace | None:
        """The first guess: a rewrite begins as the region does, and may have done so by one token already."""
        if self._started:
            return None
        self._started = True
        region = self._sources[0].tokens
        if len(region) > 1 and tail and tail[-1] == region[0]:
            self._cursor = 1
            return DraftPlace(0, 1)
        return DraftPlace(0, 0) if len(region) else None

    def _going_on(self, tail: list[int], *, may_look_up: bool) -> DraftPlace | None:
        """Follow the last guess without looking anything up: it was right so far, or one thing was replaced."""
        place = self._awaited
        if place is None or not tail or (self._newest is not None and tail[-2:-1] != [self._newest]):
            return None
        tokens = self._sources[place.source].tokens
        if place.at >= len(tokens):
            return None
        if place.source == 0 and place.replacement is None:
            place = DraftPlace(0, place.at, self._learned.at(place.at))
        replacement = place.replacement
        expected = int(tokens[place.at]) if replacement is None else replacement.new[place.written]
        if tail[-1] != expected:
            # A guess behind a replaced token that was wrong too: where the region goes on has to be looked up.
            is_lost = place.source or place.at == 0 or self._left is not None
            return None if is_lost else self._unexpected(tail, place, may_look_up=may_look_up)
        if place.source == 0:
            self._found_again(place)
            self._cursor = place.after(1).at
            if replacement is not None and place.written + 1 == len(replacement.new):
                self._learned.remember(replacement.old, replacement.new, place.at)
        return self._if_any(place.after(1))

    def _unexpected(self, tail: list[int], place: DraftPlace, *, may_look_up: bool) -> DraftPlace | None:
        """Where the region does not go on as followed: the answer was found at a wrong place, or it leaves here."""
        draft, self._found = self._found, None
        if draft is not None and draft.at == place.at:
            self._left = draft.left
            better = self._realigned(tail, draft.same + 1) if may_look_up else None
            if better is not None or draft.at - draft.same - draft.left.at > MAX_REPLACED_TOKENS:
                self._learned.take_back(draft.learned)
                return better
            self._left = None
        return self._departed(tail, place)

    def _departed(self, tail: list[int], place: DraftPlace) -> DraftPlace | None:
        """Guess how it goes on where the answer has just said something else than the region, or than was learned."""
        at, replacement, written = place.at, place.replacement, place.written
        answered = tail[-1:] if replacement is None else [*replacement.new[:written], tail[-1]]
        self._cursor = at
        if replacement is not None:
            self._learned.was_wrong(replacement, at)
            if self._sources[0].tokens[at : at + len(answered)].tolist() == answered:
                self._cursor = at + len(answered)
                return self._if_any(DraftPlace(0, self._cursor))
        guess = self._learned.begun(at, answered)
        if (
            guess is None
            and len(answered) <= _MAX_FIRST
            and (replacement is None or not self._learned.has(replacement))
        ):
            guess = self._learned.alike(at, answered)
        if guess is not None:
            behind = DraftPlace(0, at, guess).after(len(answered))
            if behind.replacement is None:
                self._learned.remember(guess.old, guess.new, at)
            return self._if_any(behind)
        self._left = Departure(at, tail[-len(answered) - _SAID_BEFORE :], len(answered))
        return self._if_any(DraftPlace(0, at + 1)) if written == 0 else None

    def _if_any(self, place: DraftPlace) -> DraftPlace | None:
        return place if place.at < len(self._sources[place.source].tokens) else None

    def _found_again(self, place: DraftPlace) -> None:
        """The answer goes on in the region at a place; if that is behind one new token, this replaced the old one."""
        left, self._left, self._found = self._left, None, None
        if left is not None and left.written == 1 and place == DraftPlace(0, left.at + 1):
            self._learned.remember([int(self._sources[0].tokens[left.at])], left.tail[-1:], left.at)

    def _realigned(self, tail: list[int], least: int = 0) -> DraftPlace | None:
        """Find the answer again in the region: nearest place at or after the cursor, of the longest n-gram."""
        region = self._sources[0]
        ends, lengths = region.matches(tail, first=self._cursor)
        near = ends <= self._cursor + NEAR_TOKENS
        for fits in (near & (lengths >= max(least, MIN_NGRAM_NEAR)), lengths >= max(least, MIN_NGRAM)):
            if fits.any():
                longest = int(np.argmax(np.where(fits, lengths, 0)))  # the first of equals, so the nearest
                at, length = int(ends[longest]), int(lengths[longest])
                left, self._left = self._left, None
                self._found = left and Realignment(left, at, length, self._learned.learn(left, tail, at, length))
                return DraftPlace(0, at)
        return None

    def _elsewhere(self, tail: list[int]) -> DraftPlace | None:
        """Find the newest place with the longest n-gram in any source; of equal ones the likelier source wins."""
        best: DraftPlace | None = None
        longest = MIN_NGRAM - 1
        for number, source in enumerate(self._sources):
            ends, lengths = source.matches(tail)
            if len(ends) and int(lengths.max()) > longest:
                newest = len(ends) - 1 - int(np.argmax(lengths[::-1]))
                best, longest = DraftPlace(number, int(ends[newest])), int(lengths[newest])
                if longest == MAX_NGRAM:
                    break
        return best


class _GuessText:
    """A text to guess from, and the places of each token that was looked for.

    A place is kept under the one token that it ends with, so the memory of what was found is never larger than
    the text is long, and a token is looked for once however often the answer says it.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens: Tokens = np.asarray(tokens, np.int32).ravel()
        self._ends: dict[int, _TokenPlaces] = {}

    def matches(self, tail: list[int], first: int | None = None) -> tuple[_TokenPlaces, _TokenPlaces]:
        """Return where the last two or more tokens of ``last_word`` end, in order, and how many are equal, 8 at most.

        With ``first``, only places from there on, the nearest where there are too many to compare; else the newest.
        """
        if len(tail) < 2 or len(self.tokens) < 3:
            return _NOWHERE, _NOWHERE
        ends = self._ends_of(tail[-1])
        if first is None:
            ends = ends[-_MAX_CANDIDATES:]
        else:
            begin = int(np.searchsorted(ends, first))
            ends = ends[begin : begin + _MAX_CANDIDATES]
        if not len(ends):
            return ends, ends
        ends = ends[self.tokens[ends - 2] == tail[-2]]
        ends = ends[-_MAX_COMPARED:] if first is None else ends[:_MAX_COMPARED]
        return ends, self._lengths(ends, tail[-MAX_NGRAM:])

    def _ends_of(self, token: int) -> _TokenPlaces:
        """Places right behind a token that still have something behind them, and a token before it."""
        ends = self._ends.get(token)
        if ends is None:
            ends = np.flatnonzero(self.tokens[1:-1] == token) + 2
            self._ends[token] = ends
        return ends

    def _lengths(self, ends: _TokenPlaces, tail: list[int]) -> _TokenPlaces:
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


_NOWHERE: Final[_TokenPlaces] = np.empty(0, np.int64)


def _nothing() -> Tokens:
    return np.empty(0, np.int32)
