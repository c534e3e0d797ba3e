"""Decide whether an engine process hangs, by its heartbeats while a caller waits for it. Pure.

Time counts in polls, and one poll counts for at most twice the usual interval. So a machine that slept or a client that
was delayed does not make a process look hung: that takes several polls in a row.
"""

import math
from dataclasses import dataclass

from spark_lsp.engine.wire import frames


@dataclass(frozen=True, slots=True)
class HangTimeout:
    """How long a process may send no heartbeat while a caller waits for it."""

    poll_s: float = 1.0
    """Time between two polls."""
    min_s: float = 5.0
    """Shortest silence that counts as hung."""
    times: float = 10.0
    """How many times its predicted duration a turn of the model's thread may take."""
    loading_s: float = 30.0
    """How long a process may send nothing while it loads a model; loading itself has no limit."""


class LivenessMonitor:
    """The state of one process since a caller began to wait for it."""

    def __init__(self, hang_timeout: HangTimeout) -> None:
        self._hang_timeout = hang_timeout
        self._polled_s = 0.0
        self._silent_s = 0.0
        self._stuck_s = 0.0
        self._turns = -1
        self._turn_s = math.inf

    def begin(self, now_s: float) -> None:
        """Begin: somebody waits from now on. ``now_s`` is of any monotonic clock."""
        self._polled_s = now_s
        self._silent_s = self._stuck_s = 0.0
        self._turns = -1

    def received(self, frame: frames.HostFrame) -> None:
        """Record a frame of the process."""
        self._silent_s = 0.0
        match frame:
            case frames.Heartbeat(turns=turns, busy=busy, turn_s=turn_s):
                if not busy or turns != self._turns:
                    self._stuck_s = 0.0
                self._turns = turns
                self._turn_s = turn_s if busy else 0.0
            case frames.AnswerChunk() | frames.Welcome():
                self._stuck_s = 0.0
                if math.isinf(self._turn_s):
                    self._turn_s = 0.0  # the model is loaded
            case _:
                pass

    def poll(self, now_s: float) -> bool:
        """Return whether the process hangs, or the thread of its model."""
        hang_timeout = self._hang_timeout
        passed_s = min(now_s - self._polled_s, 2 * hang_timeout.poll_s)
        self._polled_s = now_s
        self._silent_s += passed_s
        self._stuck_s += passed_s
        limit_s = max(hang_timeout.min_s, hang_timeout.times * self._turn_s)
        return self._stuck_s > limit_s or self._silent_s > min(limit_s, max(hang_timeout.min_s, hang_timeout.loading_s))
