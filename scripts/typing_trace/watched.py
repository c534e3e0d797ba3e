"""Watch an engine: its requests, their progress, and whether any of their text was ever visible."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from spark_lsp.completion.writer import NEXT_PRIORITY
from spark_lsp.engine.base import Chunk, CompletionRequest, Engine, EngineStatus, ModelInfo


@dataclass(slots=True)
class Ask:
    """One request for text."""

    is_prepared: bool
    """Whether nobody was waiting for it when it was sent."""
    text: str = ""
    is_stopped: bool = False
    """Whether the model was stopped because the user typed something else, rather than by a rule or by itself."""
    is_seen: bool = False


@dataclass
class WatchedEngine:
    """Implements ``engine.base.Engine`` with another engine."""

    engine: Engine
    asks: list[Ask] = field(default_factory=list)
    """Requests for a cursor, without prefills such as the cached prefix."""

    @property
    def model(self) -> ModelInfo | None:
        """The other engine's model."""
        return self.engine.model

    async def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Pass an answer on."""
        ask = Ask(request.priority == NEXT_PRIORITY)
        if request.max_tokens:
            self.asks.append(ask)
        try:
            async with aclosing(self.engine.generate(request)) as chunks:
                async for chunk in chunks:
                    ask.text += chunk.text
                    yield chunk
        except asyncio.CancelledError:
            ask.is_stopped = True
            raise

    def seen(self, text: str) -> None:
        """Record visible text: the newest answer with its first line was not wasted."""
        first = text.strip().split("\n", 1)[0].strip()
        for ask in reversed(self.asks):
            if first in ask.text:
                ask.is_seen = True
                return

    async def start(self) -> ModelInfo:
        """Start the other engine."""
        return await self.engine.start()

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count with the other engine."""
        return await self.engine.count_tokens(texts)

    async def status(self) -> EngineStatus:
        """Return the other engine's status."""
        return await self.engine.status()

    async def restart(self) -> ModelInfo:
        """Restart the other engine."""
        return await self.engine.restart()

    async def unload(self) -> None:
        """Unload the other engine."""
        await self.engine.unload()

    async def close(self) -> None:
        """Leave the other engine."""
        await self.engine.close()
