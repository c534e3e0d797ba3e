"""Stands for an engine that a document must not reach: every request is refused, nothing is sent.

Never passes anything on; what it says of the model is what the engine behind it says.
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
        """The model of the engine behind."""
        return self._engine.model

    async def start(self) -> ModelInfo:
        """Refuse."""
        raise EngineError(MESSAGE)

    async def restart(self) -> ModelInfo:
        """Refuse."""
        raise EngineError(MESSAGE)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Refuse."""
        del texts
        raise EngineError(MESSAGE)

    def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Refuse."""
        del request
        raise EngineError(MESSAGE)

    async def status(self) -> EngineStatus:
        """Describe the engine behind."""
        return await self._engine.status()

    async def unload(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""
