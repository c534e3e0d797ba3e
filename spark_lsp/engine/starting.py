"""The start of an engine that several callers share: one runs at a time, and the reason of the last failure is kept.

Each caller may give up waiting without ending the start for the others; closing the engine ends it for all of them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from spark_lsp.engine.base import ModelInfo
from spark_lsp.errors import EngineStarting, SparkError


class SharedStart:
    """Runs ``start`` at most once at a time. Belongs to one event loop."""

    def __init__(self, start: Callable[[], Awaitable[ModelInfo]], *, retry_s: float, waiting: str) -> None:
        """``retry_s`` is how long a failure is repeated before another try; ``waiting`` the message meanwhile."""
        self._start = start
        self._retry_s = retry_s
        self._waiting = waiting
        self._task: asyncio.Task[ModelInfo] | None = None
        self._failure: SparkError | None = None
        self._failed_at_s = 0.0

    def begin(self) -> asyncio.Task[ModelInfo]:
        """Start, unless a start is running."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(retrieve)
        return self._task

    async def join(self) -> ModelInfo:
        """Start, and wait for the outcome behind a shield.

        Raises:
            EngineStarting: the engine was closed meanwhile.
            SparkError: what the start itself raises.
        """
        task = self.begin()
        await asyncio.wait([task])
        if task.cancelled():
            raise EngineStarting("The engine was closed while it started.")
        return task.result()

    def refusal(self) -> SparkError:
        """Return why nothing can answer now, and start in the background where it is time to try again."""
        if self._task is not None and not self._task.done():
            return EngineStarting(self._waiting)
        failure = self._failure
        if failure is None or asyncio.get_running_loop().time() - self._failed_at_s > self._retry_s:
            self.begin()
        if failure is None:
            return EngineStarting(self._waiting)
        return type(failure)(str(failure), fix=failure.fix)  # an instance of its own for each traceback

    async def cancel(self) -> None:
        """End a running start and forget the last failure."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])
        self._failure = None

    async def _run(self) -> ModelInfo:
        try:
            model = await self._start()
        except SparkError as error:
            self._failure = error
            self._failed_at_s = asyncio.get_running_loop().time()
            raise
        self._failure = None
        return model


def retrieve(task: "asyncio.Task[Any]") -> None:
    """Retrieve a task's exception, so that asyncio does not warn that it was never awaited."""
    if not task.cancelled():
        task.exception()
