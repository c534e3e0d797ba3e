"""Recurrent states of sequences behind some of their tokens: what a recurrent or hybrid model can go back to.

Such a model keeps one state for each sequence, which no token can be taken out of. Pure: never calls the library.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

SPACING_TOKENS: Final = 512
"""A prompt is prefilled so that a checkpoint is at each multiple: reading that much again takes some seconds."""
TAIL_TOKENS: Final = 4
"""How far before a prompt's end its last checkpoint is, as in llama.cpp's server: typing changes the last tokens."""
MIN_TAIL_STEP_TOKENS: Final = 16
"""Fewer tokens behind a checkpoint are prefilled with the prompt's end: a batch of its own costs as much as they do."""
MIN_STATES: Final = 8
"""How many checkpoints are kept, however large a state is."""
MAX_BYTES: Final = 1024**3

_CROWD: Final = 3
_CROWDED_TOKENS: Final = 64
"""Of three checkpoints at the end nearer than this, the middle one goes: each key of a line may add one."""
_NEAR_TOKENS: Final = 16.0
"""Prompts differ near their end most: the chance of a difference falls with the distance from it, from here on."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The state of a sequence behind its first ``position`` tokens, in llama.cpp's own bytes."""

    position: int
    state: npt.NDArray[np.uint8]


class Checkpoints:
    """The checkpoints of a context's sequences, within a budget; sequences share those of a common beginning.

    Over the budget, the one goes without which the least has to be prefilled again.
    """

    def __init__(self, sequences: int, budget_bytes: int) -> None:
        self._kept: list[list[Checkpoint]] = [[] for _ in range(sequences)]
        self._passing: list[Checkpoint | None] = [None] * sequences
        self._budget_bytes = budget_bytes
        self._spare: npt.NDArray[np.uint8] | None = None

    def buffer(self, size_bytes: int) -> npt.NDArray[np.uint8]:
        """Return memory for a state, that of a dropped one where possible: touching new pages takes most of a copy."""
        spare, self._spare = self._spare, None
        return spare if spare is not None and spare.nbytes == size_bytes else np.empty(size_bytes, np.uint8)

    def latest(self, sequence: int, most: int) -> Checkpoint | None:
        """Return the last checkpoint of a sequence behind at most so many tokens."""
        candidates = [checkpoint for checkpoint in self._of(sequence) if checkpoint.position <= most]
        return max(candidates, key=lambda checkpoint: checkpoint.position, default=None)

    def has(self, sequence: int, position: int) -> bool:
        """Whether a sequence has a lasting checkpoint behind so many tokens."""
        return any(checkpoint.position == position for checkpoint in self._kept[sequence])

    def add(self, sequence: int, checkpoint: Checkpoint, *, is_passing: bool) -> None:
        """Keep a checkpoint of a sequence; a passing one until the next of its kind."""
        if is_passing:
            self._drop_passing(sequence)
            self._passing[sequence] = checkpoint
            return
        kept = self._kept[sequence]
        kept.append(checkpoint)
        kept.sort(key=lambda held: held.position)
        if len(kept) >= _CROWD and kept[-1].position - kept[-_CROWD].position < _CROWDED_TOKENS:
            self._drop(kept[-2])
        self._keep_budget(checkpoint)

    def truncate(self, sequence: int, length: int) -> None:
        """Forget the checkpoints behind more tokens than a sequence has left."""
        kept = self._kept[sequence]
        kept[:] = [checkpoint for checkpoint in kept if checkpoint.position <= length]
        passing = self._passing[sequence]
        if passing is not None and passing.position > length:
            self._drop_passing(sequence)

    def share(self, source: int, target: int, length: int) -> None:
        """Give a sequence the checkpoints of another one, up to so many tokens."""
        self._kept[target] = [checkpoint for checkpoint in self._kept[source] if checkpoint.position <= length]
        self._drop_passing(target)

    def total_bytes(self) -> int:
        """Return what all lasting checkpoints take; shared ones count once."""
        states = {id(checkpoint): checkpoint.state.nbytes for kept in self._kept for checkpoint in kept}
        return sum(states.values())

    def _of(self, sequence: int) -> Iterator[Checkpoint]:
        yield from self._kept[sequence]
        passing = self._passing[sequence]
        if passing is not None:
            yield passing

    def _keep_budget(self, newest: Checkpoint) -> None:
        most = max(self._budget_bytes, MIN_STATES * newest.state.nbytes)
        while self.total_bytes() > most:
            worth = self._worth()
            worth.pop(newest, None)
            if not worth:
                return
            least = min(worth, key=lambda checkpoint: worth[checkpoint])
            self._drop(least)

    def _drop(self, dropped: Checkpoint) -> None:
        for kept in self._kept:
            kept[:] = [checkpoint for checkpoint in kept if checkpoint is not dropped]
        self._spare = dropped.state

    def _drop_passing(self, sequence: int) -> None:
        passing, self._passing[sequence] = self._passing[sequence], None
        if passing is not None:  # no other sequence has it
            self._spare = passing.state

    def _worth(self) -> dict[Checkpoint, float]:
        """Return how many tokens each checkpoint saves: those since the one before, times the chance that it is used.

        It is used where the next prompt differs between it and the following one.
        """
        worth: dict[Checkpoint, float] = {}
        for kept in self._kept:
            end = kept[-1].position + TAIL_TOKENS if kept else 0
            for number, checkpoint in enumerate(kept):
                before = kept[number - 1].position if number else 0
                after = kept[number + 1].position if number + 1 < len(kept) else end
                near, far = end - after + _NEAR_TOKENS, end - checkpoint.position + _NEAR_TOKENS
                saved = (checkpoint.position - before) * math.log(far / near)
                worth[checkpoint] = worth.get(checkpoint, 0.0) + saved
        return worth
