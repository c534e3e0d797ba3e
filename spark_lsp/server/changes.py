"""Collects changed paths until no more come: a branch switch sends many messages and is one event."""

import asyncio
from collections.abc import Callable, Iterable

QUIET_S = 0.2  # a branch switch writes files for longer than this only with shorter pauses between them
MAX_S = 2.0  # a build that never stops writing must not hold changes back for ever


class Changes:
    """Paths not yet handed over. Belongs to the server's event loop."""

    def __init__(
        self, hand_over: Callable[[set[str]], None], *, quiet_s: float = QUIET_S, longest_s: float = MAX_S
    ) -> None:
        self._hand_over = hand_over
        self._quiet_s = quiet_s
        self._longest_s = longest_s
        self._paths: set[str] = set()
        self._since_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, paths: Iterable[str]) -> None:
        """Take paths in; they are handed over when no others have come for a while."""
        loop = asyncio.get_running_loop()
        if not self._paths:
            self._since_s = loop.time()
        self._paths.update(paths)
        if not self._paths:
            return
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_at(min(loop.time() + self._quiet_s, self._since_s + self._longest_s), self._done)

    def close(self) -> frozenset[str]:
        """Hand over nothing any more; return what was still waiting."""
        if self._timer:
            self._timer.cancel()
        waiting, self._paths = frozenset(self._paths), set()
        return waiting

    def _done(self) -> None:
        paths, self._paths, self._timer = self._paths, set(), None
        self._hand_over(paths)
