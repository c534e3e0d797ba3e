"""An engine that is not available: requests are refused with the reason, and everything else works."""

from collections.abc import AsyncGenerator, Sequence

from spark_lsp.engine.base import Chunk, CompletionRequest, EngineStatus, ModelInfo
from spark_lsp.errors import SparkError


class AbsentEngine:
    """Honours ``engine.base.Engine``; whatever needs a model raises the error that it was made with."""

    def __init__(self, error: SparkError) -> None:
        self._error = error

    async def start(self) -> ModelInfo:
        """Raise the error."""
        raise self._error

    @property
    def model(self) -> ModelInfo | None:
        """None: there is none."""
        return None

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:  # noqa: ARG002  the protocol's signature
        """Raise the error."""
        raise self._error

    async def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:  # noqa: ARG002  likewise
        """Raise the error."""
        for error in (self._error,):
            raise error
        yield Chunk("", 0)

    async def status(self) -> EngineStatus:
        """Describe nothing that runs."""
        return EngineStatus(running=False)

    async def restart(self) -> ModelInfo:
        """Raise the error."""
        raise self._error

    async def unload(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""
