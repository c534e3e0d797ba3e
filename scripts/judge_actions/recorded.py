"""An engine that stores a model's answers, so that the same request costs nothing the second time.

Checks can then be changed and applied again without the model, and an interrupted run can continue.
"""

import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec

from spark_lsp.engine.base import Chunk, CompletionRequest, Engine, EngineStatus, ModelInfo, Usage


class RecordedEngine:
    """Wraps an engine. ``file`` holds one JSON line per request: its key, the chunks, and whether it ended."""

    def __init__(self, engine: Engine, file: Path) -> None:
        self._engine = engine
        self._file = file
        self._known: dict[str, dict[str, Any]] = {}
        if file.exists():
            rows = (json.loads(line) for line in file.read_text("utf-8").splitlines() if line)
            self._known = {row["key"]: row for row in rows}
        self.answers: list[str] = []
        """The texts of all answers since the list was last cleared."""

    async def start(self) -> ModelInfo:
        """Start the wrapped engine."""
        return await self._engine.start()

    @property
    def model(self) -> ModelInfo | None:
        """The model of the wrapped engine."""
        return self._engine.model

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count with the wrapped engine."""
        return await self._engine.count_tokens(texts)

    async def status(self) -> EngineStatus:
        """Return the status of the wrapped engine."""
        return await self._engine.status()

    async def restart(self) -> ModelInfo:
        """Restart the wrapped engine."""
        return await self._engine.restart()

    async def unload(self) -> None:
        """Unload the wrapped engine."""
        await self._engine.unload()

    async def close(self) -> None:
        """Close the wrapped engine."""
        await self._engine.close()

    async def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Answer from the file, or send the request and store the answer, without a deadline: the machine is shared."""
        request = msgspec.structs.replace(request, deadline_ms=0)
        plain = msgspec.structs.replace(request, key="", drafts=(), priority=0)
        key = hashlib.sha256(msgspec.json.encode(plain)).hexdigest()
        row = self._known.get(key)
        self.answers.append("")
        given = 0
        for text, tokens, probability, stop in row["chunks"] if row else ():
            self.answers[-1] += text
            given += len(text)
            yield Chunk(text, tokens, probability, stop, Usage(generated_tokens=tokens) if stop else None)
        if row is None or not row["ended"]:
            async for chunk in self._asked(request, key, given):
                yield chunk

    async def _asked(self, request: CompletionRequest, key: str, given: int) -> AsyncGenerator[Chunk]:
        """Send the request to the wrapped engine, without the first characters, which are already in the answer."""
        chunks: list[tuple[str, int, float, str | None]] = []
        ended = False
        try:
            async with aclosing(self._engine.generate(request)) as stream:
                async for chunk in stream:
                    chunks.append((chunk.text, chunk.tokens, chunk.probability, chunk.stop))
                    ended = chunk.stop is not None
                    text, given = chunk.text[given:], max(0, given - len(chunk.text))
                    self.answers[-1] += text
                    if text or ended or chunk.usage:
                        yield msgspec.structs.replace(chunk, text=text)
        finally:
            if chunks and chunks[-1][3] != "cancelled":
                self._keep({"key": key, "ended": ended, "chunks": chunks})

    def _keep(self, row: dict[str, Any]) -> None:
        self._known[row["key"]] = row
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class ReplayedEngine:
    """Repeats the answers of an earlier run in order, whatever the prompt is: for checks that have changed."""

    def __init__(self, model: ModelInfo) -> None:
        self._model = model
        self.left: list[str] = []
        """The remaining answers; the last one repeats."""
        self.answers: list[str] = []

    async def start(self) -> ModelInfo:
        """Return the model."""
        return self._model

    @property
    def model(self) -> ModelInfo | None:
        """The model."""
        return self._model

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return an estimate, because no prompt is tokenised."""
        return [len(text) // 4 for text in texts]

    async def status(self) -> EngineStatus:
        """Return no status."""
        return EngineStatus(running=True)

    async def restart(self) -> ModelInfo:
        """Do nothing."""
        return await self.start()

    async def unload(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def generate(self, _request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Return the next answer, ended."""
        answer = self.left.pop(0) if len(self.left) > 1 else "".join(self.left)
        self.answers.append(answer)
        yield Chunk(answer, 1, usage=Usage())
        yield Chunk("", 0, stop="end", usage=Usage(generated_tokens=1))
