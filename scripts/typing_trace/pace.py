"""Generate the pause before each key of a typist. Pure, and the same for the same seed.

Within a word the pause is log-normal, like real pauses between keys, from 80 to 250 ms; it is longer before a word, and
longest before a line. With these medians a key comes every 239 ms on average over the typed functions:
the mean of 168,000 typists in "Observations on Typing from 136 Million Keystrokes" (Dhakal and others, CHI 2018).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final


@dataclass(frozen=True, slots=True)
class Pause:
    """A log-normal time and its limits."""

    median_ms: float
    spread: float
    least_ms: float
    most_ms: float

    def drawn(self, random: Random) -> float:
        """Return a random pause in milliseconds."""
        return min(self.most_ms, max(self.least_ms, random.lognormvariate(math.log(self.median_ms), self.spread)))


IN_WORD: Final = Pause(145, 0.35, 80, 250)
BEFORE_WORD: Final = Pause(345, 0.5, 120, 1200)
"""Before the first letter of a name, and before a mark; the space bar is quick."""
BEFORE_LINE: Final = Pause(900, 0.6, 300, 3000)
"""Before the first key of a line, which needs thought."""


def pauses_ms(keys: Sequence[str], random: Random) -> Iterator[float]:
    """Yield the pause before each key."""
    before = "\n"
    for key in keys:
        yield _kind(before, key).drawn(random)
        before = key


def _kind(before: str, key: str) -> Pause:
    if before.startswith("\n"):
        return BEFORE_LINE
    return IN_WORD if key == " " or (_is_letter(before) and _is_letter(key)) else BEFORE_WORD


def _is_letter(key: str) -> bool:
    return key.isalnum() or key == "_"
