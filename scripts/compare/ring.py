"""Model llama.vim's context of other files: chunks in a queue, promoted one by one to a ring that each request sends.

The rules and numbers are those of llama.vim's documentation and source: chunks are a random half of the visited lines,
equal chunks are dropped, similar ones evicted. None of its text is used here.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

CHUNK_LINES: Final = 64  # ring_chunk_size
QUEUED: Final = 16
MIN_CHUNK_LINES: Final = 3
SAME: Final = 0.9
"""Similarity above which a new chunk replaces an old one."""
NEAR: Final = 0.5
"""Similarity to the text around the cursor above which a chunk leaves the ring, because it would be repeated."""

_NO_WORD = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines of one file."""

    path: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as the server receives them."""
        return "\n".join(self.lines) + "\n"


class Ring:
    """The chunks of one session; ``seed`` decides which halves are taken."""

    def __init__(self, capacity: int, seed: int = 1) -> None:
        self._capacity = capacity
        self._random = random.Random(seed)  # noqa: S311 - chooses lines, guards nothing
        self.chunks: list[Chunk] = []
        self.queued: list[Chunk] = []

    @property
    def is_full(self) -> bool:
        """Whether the next promotion evicts the oldest chunk."""
        return len(self.chunks) == self._capacity

    def pick(self, path: str, lines: Sequence[str], *, evict: bool = True) -> None:
        """Queue a chunk of visited lines; ``evict`` lets it replace similar chunks, otherwise it is dropped."""
        if len(lines) < MIN_CHUNK_LINES:
            return
        chunk = Chunk(path, self._half(lines))
        if any(chunk.lines == known.lines for known in (*self.chunks, *self.queued)):
            return
        for kept in (self.queued, self.chunks):
            alike = [known for known in kept if similarity(known.lines, chunk.lines) > SAME]
            if alike and not evict:
                return
            kept[:] = [known for known in kept if known not in alike]
        if len(self.queued) == QUEUED:
            self.queued.pop(0)
        self.queued.append(chunk)

    def promote(self) -> bool:
        """Move the oldest queued chunk into the ring, evicting one if it is full; False if the queue is empty."""
        if not self.queued:
            return False
        if self.is_full:
            self.chunks.pop(0)
        self.chunks.append(self.queued.pop(0))
        return True

    def drop_near(self, lines: Sequence[str]) -> None:
        """Drop chunks similar to the text around the cursor, as each request does."""
        around = self._half(lines, always=True)
        self.chunks[:] = [chunk for chunk in self.chunks if similarity(chunk.lines, around) <= NEAR]

    def extra(self) -> list[dict[str, str]]:
        """Return the ring as the field ``input_extra`` of a request."""
        return [{"text": chunk.text, "filename": chunk.path} for chunk in self.chunks]

    def _half(self, lines: Sequence[str], *, always: bool = False) -> tuple[str, ...]:
        if not always and len(lines) + 1 < CHUNK_LINES:
            return tuple(lines)
        start = self._random.randint(0, max(0, len(lines) - CHUNK_LINES // 2))
        return tuple(lines[start : start + CHUNK_LINES // 2 + 1])


def similarity(first_lines: Sequence[str], second_lines: Sequence[str]) -> float:
    """Return how many words two texts have in common, 0 to 1, and above if words repeat."""
    first, second = _NO_WORD.split("\n".join(first_lines)), _NO_WORD.split("\n".join(second_lines))
    known = set(first)
    common = sum(word in known for word in second)
    return 2.0 * common / max(1, len(first) + len(second))
