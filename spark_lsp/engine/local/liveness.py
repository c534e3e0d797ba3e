"""When an engine process counts as hung: a pure account of the signs of life that it gave while somebody waited.

Time is counted in polls, and a look counts for little more than the usual time between two. So neither a machine that
slept nor a client that was held up makes a process look hung: it takes several polls in a row.
"""

import math
from dataclasses import dataclass

from spark_lsp.engine.wire import frames


@dataclass(frozen=True, slots=True)
class HangTimeout:
    """How long a process may give no sign of life while somebody waits for it."""

    poll_s: float = 1.0
    """Time between two polls."""
    min_s: float = 5.0
    """Nothing shorter than this counts as hung."""
    times: float = 10.0
    """How many times as long as predicted a turn of the model's thread may take."""
    loading_s: float = 30.0
    """How long a process may be wholly silent while it loads a model, which has no limit of its own."""


class LivenessMonitor:
    """What is known of one process since somebody waits for it."""

    def __init__(self, hang_timeout: HangTimeout) -> None:
        self._hang_timeout = hang_timeout
        self._polled_s = 0.0
        self._silent_s = 0.0
        self._stuck_s = 0.0
        self._turns = -1
        self._turn_s = math.inf

    def begin(self, now_s: float) -> None:
        """Somebody waits from now on, and nobody did before. ``now_s`` is of any clock that never goes back."""
        self._polled_s = now_s
        self._silent_s = self._stuck_s = 0.0
        self._turns = -1

    def received(self, frame: frames.HostFrame) -> None:
        """Take note of a frame."""
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
        """Return whether the process hangs: wholly, or the thread of its model."""
        hang_timeout = self._hang_timeout
        passed_s = min(now_s - self._polled_s, 2 * hang_timeout.poll_s)
        self._polled_s = now_s
        self._silent_s += passed_s
        self._stuck_s += passed_s
        limit_s = max(hang_timeout.min_s, hang_timeout.times * self._turn_s)
        return self._stuck_s > limit_s or self._silent_s > min(limit_s, max(hang_timeout.min_s, hang_timeout.loading_s))
