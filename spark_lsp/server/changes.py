"""Hands changed paths over once no more come, by a timer of the event loop."""

import asyncio
from collections.abc import Callable, Iterable

from spark_lsp.index.path_burst import MAX_S, QUIET_S, PathBurst


class Changes:
    """Paths not yet handed over. Belongs to the server's event loop."""

    def __init__(
        self, hand_over: Callable[[set[str]], None], *, quiet_s: float = QUIET_S, longest_s: float = MAX_S
    ) -> None:
        self._hand_over = hand_over
        self._burst = PathBurst(quiet_s=quiet_s, longest_s=longest_s)
        self._timer: asyncio.TimerHandle | None = None

    def add(self, paths: Iterable[str]) -> None:
        """Take paths in; they are handed over when no others have come for a while."""
        loop = asyncio.get_running_loop()
        self._burst.add(paths, loop.time())
        if self._burst.due_s is None:
            return
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_at(self._burst.due_s, self._done)

    def close(self) -> frozenset[str]:
        """Hand over nothing any more; return what was still waiting."""
        if self._timer:
            self._timer.cancel()
        return frozenset(self._burst.take())

    def _done(self) -> None:
        self._timer = None
        self._hand_over(self._burst.take())
