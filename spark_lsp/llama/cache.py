"""What the model's memory holds, mirrored: which tokens lie in the cache, and how many of a new prompt are among them.

The mirror is authoritative for reuse and must always equal what llama.cpp holds. Pure: never calls the library.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a prompt: its tokens and a hash that equals only that of equal tokens."""

    key: bytes
    tokens: Tokens


def joined(segments: Sequence[Segment]) -> Tokens:
    """Return the tokens of all segments in one array."""
    return np.concatenate([segment.tokens for segment in segments]) if segments else np.empty(0, np.int32)


class Mirror:
    """The resident tokens of one sequence, and where the segments of its last prompt began."""

    def __init__(self, capacity: int) -> None:
        self._tokens: Tokens = np.zeros(capacity, np.int32)
        self._length = 0
        self._segments: list[tuple[bytes, int]] = []
        """Key and end of each segment that is known to be resident from the start on."""

    def __len__(self) -> int:
        return self._length

    @property
    def tokens(self) -> Tokens:
        """The resident tokens; a view, valid until the next change."""
        return self._tokens[: self._length]

    def append(self, tokens: Tokens) -> None:
        """Note tokens that were decoded at the end."""
        assert self._length + len(tokens) <= len(self._tokens), "more tokens than cells"
        self._tokens[self._length : self._length + len(tokens)] = tokens
        self._length += len(tokens)

    def truncate(self, length: int) -> None:
        """Note that only the first ``length`` tokens are left."""
        assert 0 <= length <= self._length, "cannot grow by truncation"
        self._length = length
        while self._segments and self._segments[-1][1] > length:
            self._segments.pop()

    def common(self, segments: Sequence[Segment]) -> int:
        """Return how many tokens at the front of a prompt are resident.

        Whole segments are compared by key; only from the first differing one on are tokens looked at.
        """
        at = 0
        same = 0
        for segment, (key, end) in zip(segments, self._segments, strict=False):
            if segment.key != key or at + len(segment.tokens) != end:
                break
            at = end
            same += 1
        rest = joined(segments[same:])
        size = min(len(rest), self._length - at)
        differing = np.flatnonzero(rest[:size] != self._tokens[at : at + size])
        return at + (int(differing[0]) if len(differing) else size)

    def name(self, segments: Sequence[Segment]) -> None:
        """Note the segments of the prompt that is resident, as far as they are."""
        self._segments = []
        end = 0
        for segment in segments:
            end += len(segment.tokens)
            if end > self._length:
                break
            self._segments.append((segment.key, end))
