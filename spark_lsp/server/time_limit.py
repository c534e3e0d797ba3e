"""Runs work in a few threads of its own, and answers in time whatever the work does: it may be made of hostile text.

A thread cannot be ended from outside. Work that is late goes on, holds one of the few threads and no other, and its
result is dropped; work that has not begun by then never begins.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")

THREADS: Final = 2  # one for the list that is late, one for the next


class TimeLimit:
    """Work with a time limit. Belongs to one event loop."""

    def __init__(self, limit_s: float, threads: Executor | None = None) -> None:
        """``threads`` run the work; a few of its own unless given."""
        self.limit_s = limit_s
        self._threads = threads or ThreadPoolExecutor(THREADS, thread_name_prefix="spark-limited")

    async def run(self, work: Callable[[], T]) -> T | None:
        """Return what the work returns, None when that took too long.

        Raises:
            whatever the work raises in time.
        """
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            done, _ = await asyncio.wait({future}, timeout=self.limit_s)
        finally:
            future.cancel()  # does nothing to work that is done or has begun
        return future.result() if done else None

    def close(self) -> None:
        """Let go of the threads without waiting for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)
