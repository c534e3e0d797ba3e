"""A clock that jumps: an event loop on which hours pass at once, in order, and nobody waits.

Where nothing is ready to run, time goes on to the next timer. While a thread works for the loop no time passes.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

EXACT_S = 1e-6
"""The least that passes, so that a timer is over when its time has come."""


class _Selector(selectors.DefaultSelector):
    """Never waits for a timer: passes its time instead."""

    passed_s = 0.0
    threads = 0
    """How many pieces of work other threads have."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; when nothing is, let the time pass."""
        if timeout is None or (timeout > 0 and self.threads):
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            self.passed_s += max(timeout, EXACT_S)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """Begins at zero."""

    def __init__(self) -> None:
        self._jumping = _Selector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the seconds that have passed."""
        return self._jumping.passed_s

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        """Let a thread work while the clock stands."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._worked)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  the signature
        """Wait for the threads without a limit, which this clock would jump over while they work in real time."""
        self._jumping.threads += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._jumping.threads -= 1

    def _worked(self, _future: "asyncio.Future[Any]") -> None:
        self._jumping.threads -= 1


def run_at_once(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end on a clock that jumps."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)
