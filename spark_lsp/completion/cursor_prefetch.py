"""Prefill the prompt of a resting cursor, so that the next key costs only the typed tokens.

Never starts a model, never asks where a completion would be refused, and always makes way for one.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.engine.base import CompletionRequest, Engine
from spark_lsp.errors import SparkError
from spark_lsp.pacing import TypingActivity
from spark_lsp.prompt.typing_prompts import TypingPrompts
from spark_lsp.prompt.workspace_context import WorkspaceContext

SETTLE_S = 0.15
"""A cursor that moves on sooner is only passing."""
PAUSE_S = 0.6
"""A user who has not typed for so long after an answer looks at it: a better prompt than that of the last key can be
prefilled now. The next key stops that."""
PRIORITY = 1
"""Behind completions, before the cached prefix: the user is here now."""


@dataclass
class CursorPrefetch:
    """What is read for the place that the user looks at. Belongs to one event loop.

    ``refuses`` returns why no completion would be given at a cursor, or nothing.
    """

    engine: Engine
    context: WorkspaceContext
    prompts: TypingPrompts
    refuses: Callable[[CursorContext], str]
    typing: TypingActivity
    settle_s: float = SETTLE_S
    pause_s: float = PAUSE_S
    _cursor: CursorContext | None = None
    _task: asyncio.Task[None] | None = None

    def look(self, cursor: CursorContext) -> None:
        """Notice that the user has come to a place."""
        known = self._cursor
        if known and known.snapshot is cursor.snapshot and known.offset == cursor.offset:
            return
        self._cursor = cursor
        self.restart()

    def restart(self) -> None:
        """Prefill the last place again after its cached prefix has changed, unless the user has begun to type."""
        self._begin(self.settle_s)

    def rest_at(self, cursor: CursorContext) -> None:
        """Notice where the user stopped typing: that place is prefilled, unless there is a better prompt for it."""
        self._cursor = cursor
        if self.prompts.is_behind(cursor.snapshot.uri):
            self._begin(self.pause_s)

    def stop(self) -> None:
        """Give way: the user types or waits for an answer."""
        self._cursor = None
        self.typing.typed()
        if self._task:
            self._task.cancel()

    async def close(self) -> None:
        """Stop and wait until nothing is read any more."""
        self.stop()
        if self._task:
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self, wait_s: float) -> None:
        if self._task:
            self._task.cancel()
        cursor = self._cursor
        if cursor is not None and not self.refuses(cursor):
            self._task = asyncio.create_task(self._prefill(cursor, wait_s), name="prefill at the cursor")

    async def _prefill(self, cursor: CursorContext, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        try:
            if (await self.engine.status()).model is None:
                return
            for packed in await self.prompts.to_prefill(cursor.snapshot, cursor.offset):
                request = CompletionRequest(
                    prompt=packed.parts, max_tokens=0, priority=PRIORITY, key=f"ahead:{cursor.snapshot.uri}"
                )
                is_whole = False
                async with aclosing(self.engine.generate(request)) as chunks:
                    async for chunk in chunks:
                        is_whole = chunk.stop in ("end", "max_tokens")
                        if chunk.usage:
                            self.context.learn(chunk.usage)
                if not is_whole:
                    return
                self.prompts.prefilled(cursor.snapshot, cursor.offset, packed)
        except SparkError:
            return  # the first completion reports the problem
