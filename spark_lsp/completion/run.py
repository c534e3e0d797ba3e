"""One generation and those who wait for it: it may outlive the request that began it, and serve the next ones.

Holds what the model has said so far; never decides what may be shown (trim and clean do).
"""

import asyncio
from dataclasses import dataclass, field

import msgspec

from spark_lsp.completion.hole import Hole
from spark_lsp.completion.trim import Trimmed
from spark_lsp.context.pack import Packed
from spark_lsp.engine.base import Chunk, StopCause, Usage
from spark_lsp.errors import Reason


@dataclass(eq=False)
class Run:
    """A generation for a hole. ``updated`` is set at each change; a waiter clears it before it looks."""

    hole: Hole
    settings_key: str
    manual: bool
    raw: str = ""
    trimmed: Trimmed = Trimmed("", "", done=False)
    reason: str = Reason.ENGINE_STARTING
    """What an empty answer would be blamed on right now."""
    done: bool = False
    packed: Packed | None = None
    usage: Usage = field(default_factory=Usage)
    tokens: int = 0
    stop_cause: StopCause | None = None
    probability: float = 1.0
    first_token_ms: float = 0.0
    waiters: int = 0
    task: asyncio.Task[None] | None = None
    _updates: list[asyncio.Event] = field(default_factory=list)

    def changed(self) -> None:
        """Wake everyone who waits."""
        for event in self._updates:
            event.set()

    def take(self, chunk: Chunk) -> None:
        """Add what the model said."""
        self.raw += chunk.text
        self.tokens += chunk.tokens
        self.stop_cause = chunk.stop
        self.probability = min(self.probability, chunk.probability)
        self.usage = msgspec.structs.replace(chunk.usage or self.usage, generated_tokens=self.tokens)

    def watch(self) -> asyncio.Event:
        """Begin to wait; pair with ``unwatch``."""
        event = asyncio.Event()
        self._updates.append(event)
        self.waiters += 1
        return event

    def unwatch(self, event: asyncio.Event) -> None:
        """Stop waiting."""
        self._updates.remove(event)
        self.waiters -= 1

    def continues(self, hole: Hole) -> bool:
        """Whether this generation still fits a document in which its first characters have been typed since."""
        if hole.snapshot.uri != self.hole.snapshot.uri or hole.suffix != self.hole.suffix:
            return False
        if not hole.prefix.startswith(self.hole.prefix):
            return False
        typed = hole.prefix[len(self.hole.prefix) :]
        said = self.trimmed.text
        return said.startswith(typed) or (not self.done and typed.startswith(said))

    def stop(self) -> None:
        """End the generation; its engine stream is closed by the task itself."""
        if self.task and not self.task.done():
            self.task.cancel()
