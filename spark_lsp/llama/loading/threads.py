"""How many threads compute now: as many as other programs leave cores for.

The library's threads wait for each other many times in each token; one that has lost its core to a compiler holds up
all. Measured on two busy cores: two threads read 350 tokens/s, one reads 1,500.
"""

import time
from typing import Final

import psutil

_LOOK_AGAIN_S: Final = 0.25
_MIN_LOOK_S: Final = 0.05  # the kernel counts processor time in steps of 10 ms


class ThreadBudget:
    """Follows the load of the cores this process may use. Belongs to one thread."""

    def __init__(self, most: int, *, fixed: bool) -> None:
        self._most = most
        self._fixed = fixed or most <= 1
        self._process = psutil.Process()
        self._threads = most
        self._looked = time.perf_counter()
        self._idle_s, self._own_s = (0.0, 0.0) if self._fixed else self._times()

    def threads(self) -> int:
        """Return the number of threads to use for the next decode."""
        elapsed_s = time.perf_counter() - self._looked
        if self._fixed or elapsed_s < _LOOK_AGAIN_S:
            return self._threads
        idle_s, own_s = self._times()
        free = (idle_s - self._idle_s + own_s - self._own_s) / max(elapsed_s, _MIN_LOOK_S)
        self._idle_s, self._own_s = idle_s, own_s
        self._looked += elapsed_s
        self._threads = threads_for(self._most, free)
        return self._threads

    def _times(self) -> tuple[float, float]:
        """Return seconds that our cores were idle, and seconds that this process used."""
        cores = psutil.cpu_times(percpu=True)
        allowed = self._process.cpu_affinity() if hasattr(self._process, "cpu_affinity") else range(len(cores))
        idle_s = sum(cores[core].idle for core in allowed if core < len(cores))
        own = self._process.cpu_times()
        return idle_s, own.user + own.system


def threads_for(most: int, free_cores: float) -> int:
    """Return how many threads have a core of their own when so many are free or ours."""
    return max(1, min(most, round(free_cores)))
