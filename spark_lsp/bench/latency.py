"""Measure what a user waits for: cold and warm first tokens, a killed engine, a busy engine; and its memory.

The engine and the baseline take turns within one run, so what another program takes from the machine hits both.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from spark_lsp.bench.asking import (
    REPLY_CELLS,
    Measure,
    OneTokenWords,
    TimedAnswer,
    ask,
    code,
    engine_of,
    facts,
    first_token,
    launch_of,
    middle,
    private_place,
    ratio,
)
from spark_lsp.bench.baseline import Baseline, Describe
from spark_lsp.bench.busy import LONG_TOKENS, measure_busy
from spark_lsp.bench.throughput import ANSWER_TOKENS, decode_speeds
from spark_lsp.engine.base import CompletionRequest, Engine, PromptPart
from spark_lsp.engine.local.local_engine import LocalEngine
from spark_lsp.llama.kv.block_store import count_files

SERIES: Final = (1, 16, 64, 256, 512)
"""Volatile tokens: a key, a word, a line, a function, and everything after the cached prefix of a packed prompt."""

_SAVED_S: Final = 60.0  # the engine waits ten seconds before it saves
_QUIET_S: Final = 2.0
_GONE_S: Final = 10.0


async def measure_latency(measure: Measure, volatile_tokens: int, tries: int) -> dict[str, Any]:
    """Return the report of ``bench latency``; times in milliseconds.

    Raises:
        ModelMissing, ModelUnusable, EngineFailed: the model cannot be used.
    """
    with private_place() as place:
        cells = measure.context_tokens + max(volatile_tokens, LONG_TOKENS) + REPLY_CELLS
        launch = launch_of(measure.path, cells, measure.threads, place / "cache")
        async with engine_of(launch) as engine:
            info = await engine.start()
            prompt = await code(engine, measure.context_tokens)
            cold = await first_token(engine, prompt)
            baseline = await Baseline.open(launch)
            try:
                files = await _saved(place / "cache")
                restart = await _restart(engine, prompt, cold.first_ms)
                held = await baseline.ask(Describe())
                await baseline.ask_to_hold(prompt)
                words = await OneTokenWords.of(engine)
                counts = sorted({*SERIES, volatile_tokens})
                series = await _series(engine, baseline, prompt, words, counts, measure.rounds)
                decode = await decode_speeds(engine, baseline, prompt, ANSWER_TOKENS, measure.rounds)
                rss_bytes = (await engine.status()).ram_bytes
            finally:
                await baseline.close()
            busy = await measure_busy(engine, prompt, words, tries)
    warm = next(row for row in series if row["asked_tokens"] == volatile_tokens)
    return {
        "model": info.name,
        "context_tokens": info.context_tokens,
        "prompt_tokens": cold.usage.prompt_tokens,
        **facts(launch),
        "cold_first_token_ms": round(cold.first_ms, 1),
        "warm_first_token_ms": warm["warm_first_token_ms"],
        "ratio": round(cold.first_ms / max(warm["warm_first_token_ms"], 0.001), 1),
        "volatile_tokens": warm["volatile_tokens"],
        **decode,
        "series": series,
        "restart": {**restart, "files": files},
        "busy": busy,
        "memory": _memory(rss_bytes, held),
    }


async def _series(
    engine: Engine,
    baseline: Baseline,
    prompt: Sequence[PromptPart],
    words: OneTokenWords,
    counts: Sequence[int],
    rounds: int,
) -> list[dict[str, Any]]:
    """Time first tokens after the cached prompt, of the engine and of the baseline loop in turns."""
    ours: dict[int, list[TimedAnswer]] = {count: [] for count in counts}
    theirs: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            ours[count].append(await first_token(engine, (*prompt, words.take(count))))
            theirs[count].append(await baseline.read_ms(count))
    return [_row(count, ours[count], theirs[count]) for count in counts]


def _row(count: int, answers: Sequence[TimedAnswer], baseline: Sequence[float]) -> dict[str, Any]:
    first_ms, bare_ms = middle([answer.first_ms for answer in answers]), middle(baseline)
    return {
        "asked_tokens": count,
        "volatile_tokens": answers[0].usage.prefill_tokens,
        "warm_first_token_ms": first_ms,
        "engine_ms": middle([answer.usage.first_token_ms for answer in answers]),
        "compute_ms": middle([answer.usage.compute_ms for answer in answers]),
        "bare_ms": bare_ms,
        "ratio": ratio(first_ms, bare_ms),
        "beyond_compute_ms": middle([answer.first_ms - answer.usage.compute_ms for answer in answers]),
    }


async def _saved(cache: Path) -> int:
    """Wait until the engine has saved its cached prefix, and return the number of files."""
    began = changed = time.monotonic()
    files = 0
    while time.monotonic() - began < _SAVED_S and not (files and time.monotonic() - changed > _QUIET_S):
        await asyncio.sleep(0.1)
        file_count = await asyncio.to_thread(count_files, cache)
        if file_count != files:
            files, changed = file_count, time.monotonic()
    return files


async def _restart(engine: LocalEngine, prompt: Sequence[PromptPart], cold_ms: float) -> dict[str, Any]:
    """Kill the engine and time the way back to the whole prompt in memory."""
    process = psutil.Process((await engine.status()).pid)
    began = time.perf_counter()
    process.kill()
    while engine.model is not None and time.perf_counter() - began < _GONE_S:  # noqa: ASYNC110  a property tells it
        await asyncio.sleep(0.001)
    await engine.start()
    ready_ms = (time.perf_counter() - began) * 1000
    answer = await ask(engine, CompletionRequest(prompt=tuple(prompt), max_tokens=0))
    resident_ms = (time.perf_counter() - began) * 1000
    return {
        "ready_ms": round(ready_ms, 1),
        "resident_ms": round(resident_ms, 1),
        "restored_tokens": answer.usage.restored_tokens,
        "read_tokens": answer.usage.prefill_tokens,
        "ratio_to_cold": ratio(resident_ms, cold_ms),
    }


def _memory(rss_bytes: int, held: dict[str, int]) -> dict[str, int]:
    """Return what the engine takes beyond what the model itself needs."""
    needed = held["weights_bytes"] + held["kv_bytes"] + held["compute_bytes"]
    return {"rss_bytes": rss_bytes, **held, "beyond_bytes": rss_bytes - needed}
