"""Decides how long to wait before asking the model, and which request is the newest.

Never sleeps: the caller waits.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from statistics import median
from time import monotonic

MIN_DEBOUNCE_MS = 20.0
MAX_DEBOUNCE_MS = 300.0
LATENCY_SHARE = 0.25
"""Wait a quarter of what an answer costs: clangd's DebouncePolicy waits in proportion to the rebuild time."""
PAUSE_SHARE = 1.3
"""Behind a model that is slower than the typing, wait until a key is this much later than usual: a pause."""
RHYTHM_KEYS = 20
MAX_KEY_GAP_MS = 1000.0  # longer is thinking, not typing
MIN_KEYS = 5
REST_S = MAX_KEY_GAP_MS / 1000
"""A user who has not typed for so long thinks or reads."""
SMOOTHING = 0.3
"""Weight of the newest measurement in the running mean; about the last six answers count."""


@dataclass(frozen=True, slots=True)
class DebouncePolicy:
    """Debounce in proportion to the measured latency, clamped. ``fixed_ms`` overrides it."""

    fixed_ms: float | None = None
    share: float = LATENCY_SHARE
    min_ms: float = MIN_DEBOUNCE_MS
    max_ms: float = MAX_DEBOUNCE_MS

    def wait_ms(self, latency_ms: float, gap_ms: float = 0.0) -> float:
        """Return how long to wait before asking, given the usual time to a first token and between two keys.

        An answer that comes before the next key is worth asking for at each key; a slower one would be for nothing
        while the user types on, so it waits for a pause. ``gap_ms`` 0 means that the rhythm is not known.
        """
        if self.fixed_ms is not None:
            return self.fixed_ms
        wait_ms = max(self.min_ms, latency_ms * self.share)
        if 0 < gap_ms < latency_ms:
            wait_ms = max(wait_ms, gap_ms * PAUSE_SHARE)
        return min(self.max_ms, wait_ms)


@dataclass(slots=True)
class TypingActivity:
    """When somebody typed last. ``now`` is any clock that does not go back."""

    now: Callable[[], float] = monotonic
    _typed_s: float = -inf

    def typed(self) -> None:
        """Note a key."""
        self._typed_s = self.now()

    def is_resting(self) -> bool:
        """Whether nothing was typed for a while."""
        return self.now() - self._typed_s >= REST_S


@dataclass(slots=True)
class TypingSpeed:
    """How fast somebody types: the usual time between two keys."""

    _gaps_ms: deque[float] = field(default_factory=lambda: deque(maxlen=RHYTHM_KEYS))
    _last_s: float | None = None

    def key(self, now_s: float) -> None:
        """Note a key; ``now_s`` is any clock that does not go back."""
        if self._last_s is not None and (gap_ms := (now_s - self._last_s) * 1000) <= MAX_KEY_GAP_MS:
            self._gaps_ms.append(gap_ms)
        self._last_s = now_s

    @property
    def gap_ms(self) -> float:
        """The median time between two keys; 0.0 while too few were seen."""
        return median(self._gaps_ms) if len(self._gaps_ms) >= MIN_KEYS else 0.0


@dataclass(slots=True)
class RunningMean:
    """Exponential mean of a measurement; ``value`` is the first guess until something was measured."""

    value: float
    measured: bool = False

    def add(self, sample: float) -> None:
        """Take a sample in."""
        self.value = sample if not self.measured else self.value + SMOOTHING * (sample - self.value)
        self.measured = True


@dataclass(slots=True)
class LatestWins:
    """Which ticket is the newest per key. A holder of an older ticket has been superseded."""

    _newest: dict[str, int] = field(default_factory=dict)
    _count: int = 0

    def take(self, key: str) -> int:
        """Return a new ticket for the key; older ones are superseded from now on."""
        self._count += 1
        self._newest[key] = self._count
        return self._count

    def is_newest(self, key: str, ticket: int) -> bool:
        """Whether no later ticket was taken for the key."""
        return self._newest.get(key) == ticket

    def forget(self, key: str) -> None:
        """Drop a key, for a document that was closed."""
        self._newest.pop(key, None)
