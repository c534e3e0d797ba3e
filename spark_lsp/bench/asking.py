"""Tools of every measurement: a private engine, prompts of known size, and one timed answer.

The runtime folder and the cache are temporary, so neither a user's engine nor what it remembers is met.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

import psutil

from spark_lsp.engine.base import CompletionRequest, Engine, PromptPart, StopCause, TextPart, Usage
from spark_lsp.engine.local.address import RUNTIME_VARIABLE, endpoint_of
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine
from spark_lsp.engine.local.process import end

REPLY_CELLS: Final = 1024
"""What a context has beyond the prompt that stays resident: for volatile tokens and for answers."""

_IDLE_MINUTES: Final = 0.1
_CACHE_BYTES: Final = 1 << 40  # the folder is removed at the end, so its quota never counts
_PIECE_LINES: Final = 4
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is measured, and how often."""

    path: str
    context_tokens: int
    threads: int = 0
    """Of both sides; 0 takes the real cores."""
    rounds: int = 5
    """How often both sides take turns."""


@dataclass(frozen=True, slots=True)
class TimedAnswer:
    """An answer and when it came, by the clock of whoever asked."""

    text: str
    usage: Usage
    first_ms: float
    first: Usage
    """The usage when the first text came."""
    stop: StopCause | None

    @property
    def tokens_per_s(self) -> float:
        """Speed after the first token."""
        return (self.usage.generated_tokens - 1) / max(self.usage.total_ms - self.usage.first_token_ms, 0.001) * 1000

    @property
    def compute_share(self) -> float:
        """Share of the time after the first text that went into the library's decodes."""
        return ratio(self.usage.compute_ms - self.first.compute_ms, self.usage.total_ms - self.first.total_ms)


def launch_of(path: str, context_tokens: int, threads: int, cache: Path | None = None) -> EngineLaunch:
    """Return how a measured engine is started. A fixed number of threads, so that both sides have as many."""
    return EngineLaunch(
        model_path=path,
        context_tokens=context_tokens,
        is_named_size=True,
        threads=threads or psutil.cpu_count(logical=False) or 1,
        idle_minutes=_IDLE_MINUTES,
        cache_folder=str(cache) if cache is not None else "",
        cache_bytes=_CACHE_BYTES if cache is not None else 0,
    )


@contextmanager
def private_place() -> Iterator[Path]:
    """Keep this process's engines and their files apart from those of the user; remove all at the end."""
    before = os.environ.get(RUNTIME_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="spark-bench-", ignore_cleanup_errors=True) as folder:
        os.environ[RUNTIME_VARIABLE] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ[RUNTIME_VARIABLE]
            else:
                os.environ[RUNTIME_VARIABLE] = before


@asynccontextmanager
async def engine_of(launch: EngineLaunch) -> AsyncIterator[LocalEngine]:
    """Start a private engine and stop it at the end."""
    engine = LocalEngine(launch)
    try:
        await engine.start()
        yield engine
    finally:
        await engine.close()
        await asyncio.to_thread(end, endpoint_of(launch))  # all that an orderly end would save is temporary


async def ask(engine: Engine, request: CompletionRequest) -> TimedAnswer:
    """Ask once and read the answer to its end."""
    texts: list[str] = []
    usage, first, stop = Usage(), Usage(), None
    first_ms = 0.0
    began = time.perf_counter()
    async with aclosing(engine.generate(request)) as chunks:
        async for chunk in chunks:
            if not first_ms:
                first_ms, first = (time.perf_counter() - began) * 1000, chunk.usage or first
            texts.append(chunk.text)
            usage, stop = chunk.usage or usage, chunk.stop
    return TimedAnswer("".join(texts), usage, first_ms, first, stop)


async def first_token(engine: Engine, prompt: Sequence[PromptPart], *, key: str = "") -> TimedAnswer:
    """Ask for one token."""
    return await ask(engine, CompletionRequest(prompt=tuple(prompt), max_tokens=1, key=key))


async def code(engine: Engine, tokens: int, *, stable: bool = True) -> tuple[PromptPart, ...]:
    """Make code that no engine has read before, in pieces, of nearly that many tokens."""
    salt = time.time_ns()
    parts: list[PromptPart] = []
    used = 0
    while True:
        lines = [f"def f_{salt}_{len(parts)}_{n}(a, b):\n    return a * {n} + b\n" for n in range(_PIECE_LINES)]
        text = "\n".join(lines)
        (count,) = await engine.count_tokens([text])
        if parts and used + count > tokens:
            return tuple(parts)
        parts.append(TextPart(text, stable=stable))
        used += count


class OneTokenWords:
    """Texts of an exact number of tokens, each with another beginning."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._next = 0

    @classmethod
    async def of(cls, engine: Engine) -> "OneTokenWords":
        """Find words that are one token each."""
        words = [f" {first}{second}" for first in _LETTERS for second in ("", *_LETTERS)]
        counts = await engine.count_tokens(words)
        return cls([word for word, count in zip(words, counts, strict=True) if count == 1])

    def take(self, count: int) -> TextPart:
        """Return a text of ``count`` tokens."""
        self._next += 1
        return TextPart("".join(self._words[(self._next + n) % len(self._words)] for n in range(count)))


def middle(values: Sequence[float]) -> float:
    """Return the median, rounded to hundredths; 0.0 of nothing."""
    return round(statistics.median(values), 2) if values else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of all do not exceed, rounded to hundredths; 0.0 of nothing."""
    return round(sorted(values)[max(0, ceil(len(values) * share) - 1)], 2) if values else 0.0


def ratio(numerator: float, denominator: float) -> float:
    """Return one over the other, to three places; 0.0 where the other is nothing."""
    return round(numerator / denominator, 3) if denominator else 0.0


def facts(launch: EngineLaunch) -> dict[str, int]:
    """Say what the machine and the launch bring."""
    return {"threads": launch.threads, "cores": psutil.cpu_count() or 1}
