"""How long to wait before asking the model, and which request is still wanted. Pure policy and one small latch.

Never sleeps by itself: it says how long, the caller waits.
"""

from dataclasses import dataclass, field

MIN_DEBOUNCE_MS = 20.0
MAX_DEBOUNCE_MS = 300.0
LATENCY_SHARE = 0.25
"""Wait a quarter of what an answer costs: clangd's DebouncePolicy waits in proportion to the rebuild time."""
SMOOTHING = 0.3
"""Weight of the newest measurement in the running mean; about the last six answers count."""


@dataclass(frozen=True, slots=True)
class DebouncePolicy:
    """Debounce in proportion to the measured latency, clamped. ``fixed_ms`` overrides it."""

    fixed_ms: float | None = None
    share: float = LATENCY_SHARE
    min_ms: float = MIN_DEBOUNCE_MS
    max_ms: float = MAX_DEBOUNCE_MS

    def wait_ms(self, latency_ms: float) -> float:
        """Return how long to wait before asking, given the usual time to a first token."""
        if self.fixed_ms is not None:
            return self.fixed_ms
        return min(self.max_ms, max(self.min_ms, latency_ms * self.share))


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
