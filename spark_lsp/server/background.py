"""Work of a window that nobody waits for: a reference is kept, a failure is logged, and closing ends it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger("spark_lsp.server")


class BackgroundTasks:
    """The running tasks. Belongs to the server's event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run work in the background; the log names it when it fails."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def wait(self) -> None:
        """Wait until all work has ended, also what it has begun itself."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Cancel all work and wait for its end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("background work %s failed", task.get_name(), exc_info=error)
