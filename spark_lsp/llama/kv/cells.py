"""What the model's memory holds, mirrored: which tokens are in each sequence, and which cells they share.

The mirror is authoritative for reuse and must always equal what llama.cpp holds. Pure: never calls the library.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class TokenSegment:
    """A part of a prompt: its tokens and a hash that equals only that of equal tokens."""

    key: bytes
    tokens: Tokens


class TokenRun:
    """A run of tokens made of segments, as prompts are: two runs are compared by keys first, by tokens after that."""

    def __init__(self, segments: Sequence[TokenSegment], *, stable: int = 0) -> None:
        """``stable`` is the number of leading segments that are the cached prefix's."""
        self.keys = [segment.key for segment in segments]
        self.ends = list(accumulate(len(segment.tokens) for segment in segments))
        empty = np.empty(0, np.int32)
        self.tokens: Tokens = np.concatenate([segment.tokens for segment in segments]) if segments else empty
        self.stable_tokens = self.ends[stable - 1] if stable else 0

    def __len__(self) -> int:
        return len(self.tokens)


class Cells:
    """The cells of a unified cache and how many sequences use each.

    Which cell a token is in is llama.cpp's own affair; what counts is how many are free, and that is the same.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._users = np.zeros(capacity, np.int16)
        self._spare: Tokens = np.arange(capacity, dtype=np.int32)
        self._spares = capacity

    @property
    def free(self) -> int:
        """Number of cells that no sequence uses."""
        return self._spares

    def take(self, count: int) -> Tokens:
        """Use free cells for new tokens."""
        assert count <= self._spares, "more tokens than free cells"
        self._spares -= count
        taken: Tokens = self._spare[self._spares : self._spares + count].copy()
        self._users[taken] = 1
        return taken

    def take_one(self) -> int:
        """Use one free cell: what each token of an answer does, at a tenth of the time."""
        assert self._spares, "more tokens than free cells"
        self._spares -= 1
        place = int(self._spare[self._spares])
        self._users[place] = 1
        return place

    def share(self, cells: Tokens) -> None:
        """Note one more user of each cell."""
        self._users[cells] += 1

    def own(self, cells: Tokens) -> int:
        """Return how many at the end are used once, of the cells of a sequence: those before are shared with others."""
        return len(cells) - bisect_left(range(len(cells)), True, key=lambda at: bool(self._users[cells[at]] == 1))

    def release(self, cells: Tokens) -> None:
        """Note one user less; a cell without users is free."""
        self._users[cells] -= 1
        freed = cells[self._users[cells] == 0]
        self._spare[self._spares : self._spares + len(freed)] = freed
        self._spares += len(freed)


@dataclass(frozen=True, slots=True)
class Named:
    """The first ``count`` of some segments, by key and by the number of tokens up to their end."""

    keys: list[bytes]
    ends: list[int]
    count: int

    def within(self, length: int) -> "Named":
        """Return those that are wholly within so many tokens."""
        return Named(self.keys, self.ends, min(self.count, bisect_right(self.ends, length)))

    def same(self, keys: list[bytes]) -> int:
        """Return how many leading keys are these."""
        most = min(self.count, len(keys))
        if self.keys[:most] == keys[:most]:  # nearly always, and at the speed of memory
            return most
        return next(number for number in range(most) if self.keys[number] != keys[number])


class KvMirror:
    """The tokens of one sequence, the cells they are in, and where the segments of its last run ended."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._tokens: Tokens = np.zeros(cells.capacity, np.int32)
        self._places: Tokens = np.zeros(cells.capacity, np.int32)
        self._length = 0
        self.named = Named([], [], 0)
        """The leading segments that are known to be resident."""

    def __len__(self) -> int:
        return self._length

    @property
    def tokens(self) -> Tokens:
        """The resident tokens; a view, valid until the next change."""
        return self._tokens[: self._length]

    @property
    def places(self) -> Tokens:
        """The cells of the resident tokens; a view, valid until the next change."""
        return self._places[: self._length]

    def append(self, tokens: Tokens) -> None:
        """Note tokens that were decoded at the end."""
        if len(tokens) == 1:
            self._tokens[self._length] = tokens[0]
            self._places[self._length] = self._cells.take_one()
            self._length += 1
            return
        end = self._length + len(tokens)
        self._tokens[self._length : end] = tokens
        self._places[self._length : end] = self._cells.take(len(tokens))
        self._length = end

    def truncate(self, length: int) -> None:
        """Note that only the first ``length`` tokens are left."""
        assert 0 <= length <= self._length, "cannot grow by truncation"
        self._cells.release(self._places[length : self._length])
        self._length = length
        self.named = self.named.within(length)

    def extend_from(self, donor: "KvMirror", end: int) -> None:
        """Note that the tokens of another sequence, from this one's length to ``end``, are shared with it."""
        assert self._length <= end <= len(donor), "can only share what is there"
        shared = slice(self._length, end)
        self._cells.share(donor.places[shared])
        self._tokens[shared] = donor.tokens[shared]
        self._places[shared] = donor.places[shared]
        self._length = end
        if self.named.count <= donor.named.count:
            self.named = donor.named.within(end)

    def same_as(self, mirror: "KvMirror") -> int:
        """Return how many tokens at the front two sequences have in common."""
        size = min(self._length, len(mirror))
        return _first_difference(self.tokens[:size], mirror.tokens[:size])

    def common(self, run: TokenRun) -> int:
        """Return how many tokens at the front of a run are resident.

        Whole segments are compared by key; only from the first differing one on are tokens looked at.
        """
        same = self.named.same(run.keys)
        at = run.ends[same - 1] if same else 0
        size = min(len(run), self._length)
        return at + _first_difference(run.tokens[at:size], self._tokens[at:size])

    def name(self, run: TokenRun) -> None:
        """Note the segments of the run that is being decoded, as far as they are resident."""
        self.named = Named(run.keys, run.ends, len(run.keys)).within(self._length)


def _first_difference(left: Tokens, right: Tokens) -> int:
    differing = np.flatnonzero(left != right)
    return int(differing[0]) if len(differing) else len(left)
