"""Replace an engine that a document must not reach: every request is refused, nothing is sent.

Never passes anything on; information about the model comes from the engine behind it.
"""

from collections.abc import AsyncGenerator, Sequence

from spark_lsp.engine.base import Chunk, CompletionRequest, Engine, EngineStatus, ModelInfo
from spark_lsp.errors import EngineError

MESSAGE = "This file is ignored or looks like a secret, so it is not sent to a remote endpoint."


class WithheldEngine:
    """An engine that refuses every request."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def model(self) -> ModelInfo | None:
        """The model of the engine behind it."""
        return self._engine.model

    async def start(self) -> ModelInfo:
        """Refuse to start."""
        raise EngineError(MESSAGE)

    async def restart(self) -> ModelInfo:
        """Refuse to restart."""
        raise EngineError(MESSAGE)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Refuse to count tokens."""
        del texts
        raise EngineError(MESSAGE)

    def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Refuse to generate."""
        del request
        raise EngineError(MESSAGE)

    async def status(self) -> EngineStatus:
        """Return the status of the engine behind it."""
        return await self._engine.status()

    async def unload(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""
