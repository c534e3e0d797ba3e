"""Measure how long a completion waits for a busy engine: one that prefills a cached prefix, or an older prompt."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import aclosing
from itertools import pairwise
from typing import Any, Final

from spark_lsp.bench.asking import OneTokenWords, ask, code, first_token, middle, percentile
from spark_lsp.engine.base import BACKGROUND_PRIORITY, CompletionRequest, Engine, PromptPart

LONG_TOKENS: Final = 4096
"""Tokens of the engine's other work, after the cached prompt."""

_ALONE_CHUNKS: Final = 12
_FIRST_PROGRESS_S: Final = 30.0
_SEED: Final = 3


async def measure_busy(
    engine: Engine, prompt: Sequence[PromptPart], words: OneTokenWords, tries: int
) -> dict[str, Any]:
    """Return how long the engine keeps a completion waiting, beside how long a chunk of background work takes.

    What a completion would take on an idle engine is taken off: each one is asked again right after, idle.
    """
    chunks_ms = await _chunks_ms(engine, prompt)
    chunk_ms = middle(chunks_ms)
    chance = random.Random(_SEED)  # noqa: S311  no secret: a moment within a chunk
    cached_prefix = await _behind_cached_prefix(engine, prompt, words, tries, chance, chunk_ms)
    typed = await _behind_typing(engine, prompt, words, tries, chance)
    return {
        "tries": tries,
        "background_chunk_ms": chunk_ms,
        "background_chunk_p95_ms": percentile(chunks_ms, 0.95),
        "wait_behind_trunk_ms": middle(cached_prefix),
        "wait_behind_trunk_p95_ms": percentile(cached_prefix, 0.95),
        "wait_behind_typing_ms": middle(typed),
        "wait_behind_typing_p95_ms": percentile(typed, 0.95),
        "tries_behind_typing": len(typed),
    }


class _Background:
    """A cached prefix that is being prefilled while this is open; reports its progress."""

    def __init__(self, engine: Engine, prompt: Sequence[PromptPart]) -> None:
        self._engine = engine
        self._prompt = prompt
        self._moved = asyncio.Event()
        self._task = asyncio.create_task(self._read())
        self.times_ms: list[tuple[int, float]] = []
        """Tokens read by now and the engine's own time of it."""

    @property
    def over(self) -> bool:
        """Whether it has been read to its end."""
        return self._task.done()

    async def moves(self) -> bool:
        """Wait until it gets on from now; False when it ends instead."""
        self._moved.clear()
        waiter = asyncio.create_task(self._moved.wait())
        await asyncio.wait({waiter, self._task}, timeout=_FIRST_PROGRESS_S, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        return self._moved.is_set() and not self.over

    async def close(self) -> None:
        """Stop it."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _read(self) -> None:
        extra = await code(self._engine, LONG_TOKENS)
        request = CompletionRequest(prompt=(*self._prompt, *extra), max_tokens=0, priority=BACKGROUND_PRIORITY)
        async with aclosing(self._engine.generate(request)) as chunks:
            async for chunk in chunks:
                read = chunk.usage.prefill_tokens if chunk.usage is not None else 0
                if chunk.usage is not None and read > (self.times_ms[-1][0] if self.times_ms else 0):
                    self.times_ms.append((read, chunk.usage.total_ms))
                    self._moved.set()


async def _chunks_ms(engine: Engine, prompt: Sequence[PromptPart]) -> list[float]:
    """Time background chunks without interruptions."""
    background = _Background(engine, prompt)
    while len(background.times_ms) <= _ALONE_CHUNKS and await background.moves():
        pass
    await background.close()
    times = [spent_ms for _, spent_ms in background.times_ms]
    return [later - earlier for earlier, later in pairwise(times)]


async def _behind_cached_prefix(
    engine: Engine,
    prompt: Sequence[PromptPart],
    words: OneTokenWords,
    tries: int,
    chance: random.Random,
    chunk_ms: float,
) -> list[float]:
    waits: list[float] = []
    background = _Background(engine, prompt)
    while len(waits) < tries:
        if not await background.moves():
            await background.close()
            background = _Background(engine, prompt)
            continue
        await asyncio.sleep(chance.random() * chunk_ms / 1000)
        if not background.over:
            waits.append(await _wait_ms(engine, prompt, words, key=""))
    await background.close()
    return waits


async def _behind_typing(
    engine: Engine, prompt: Sequence[PromptPart], words: OneTokenWords, tries: int, chance: random.Random
) -> list[float]:
    """Request a long prefill, and some time later a newer prompt of the same document."""
    waits: list[float] = []
    for _ in range(tries):
        extra = await code(engine, LONG_TOKENS, stable=False)
        request = CompletionRequest(prompt=(*prompt, *extra), max_tokens=1, key="typed")
        older = asyncio.create_task(ask(engine, request))
        await asyncio.sleep(0.02 + chance.random() * 0.2)
        wait_ms = await _wait_ms(engine, prompt, words, key="typed")
        if (await older).stop == "cancelled":  # or it was prefilled before the newer one came, without any wait
            waits.append(wait_ms)
    return waits


async def _wait_ms(engine: Engine, prompt: Sequence[PromptPart], words: OneTokenWords, *, key: str) -> float:
    """Return how much longer a completion takes now than right after, on the engine that is idle then."""
    began = time.perf_counter()
    await first_token(engine, (*prompt, words.take(1)), key=key)
    busy_ms = (time.perf_counter() - began) * 1000
    idle = await first_token(engine, (*prompt, words.take(1)), key=key)
    return max(0.0, busy_ms - idle.first_ms)
