"""``spark-lsp bench``: the project's own measurements, as ratios within one run where they can be.

Measures the shared engine through its own client; never a part of it by itself, except the bare loop beside it.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from contextlib import aclosing
from typing import Annotated, Any

import msgspec
import psutil
import typer
from rich.console import Console

from spark_lsp.catalog.catalog import resolve_model
from spark_lsp.cli.oneshot import errors
from spark_lsp.engine.base import Engine, Infill, Piece, PromptPart, Usage
from spark_lsp.engine.local import EngineLaunch, LocalEngine

app = typer.Typer(help="Measure the engine on this machine.", no_args_is_help=True)

KEYSTROKES = 20
DECODE_TOKENS = 128
DECODE_RUNS = 5  # the best counts: other programs only ever slow a run down
PIECE_LINES = 16
IDLE_MINUTES = 0.1
REPLY_CELLS = 1024


@app.callback()
def _group() -> None:
    """Keep ``bench`` a group of commands although it has one."""


@app.command("latency", epilog="Example: spark-lsp bench latency --context-tokens 8192")
def latency(
    *,
    model: Annotated[str, typer.Option(help="Model name or path of a GGUF file.")] = "",
    context_tokens: Annotated[int, typer.Option(min=256, help="Tokens of the prompt that stays resident.")] = 8192,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure cold and warm first token, and decode speed beside a bare llama.cpp loop."""
    path = str(resolve_model(model))
    threads = psutil.cpu_count(logical=False) or 1
    with errors.status(f"Reading {context_tokens} tokens, cold and warm …"):
        report = asyncio.run(_measure(path, context_tokens, threads))
    with errors.status("The bare loop …"):
        report["bare_decode_tokens_per_s"] = round(_bare(path, report["prompt_tokens"], threads), 1)
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    console = Console(highlight=False)
    for name, value in report.items():
        console.print(f"{name:<26} {value}")


async def _measure(path: str, context_tokens: int, threads: int) -> dict[str, Any]:
    launch = EngineLaunch(
        model_path=path,
        context_tokens=context_tokens + REPLY_CELLS,
        is_named_size=True,
        threads=threads,
        gpu_layers=-1,
        kv_type="auto",
        idle_minutes=IDLE_MINUTES,
        memory_limit_bytes=0,
    )
    engine = LocalEngine(launch)
    try:
        info = await engine.start()
        parts = await _prompt(engine, context_tokens)
        cold = await _first_token(engine, parts)
        warm = [await _first_token(engine, [*parts, Piece("value"[: 1 + n % 5] * (1 + n))]) for n in range(KEYSTROKES)]
        decode = max([await _decode_rate(engine, [*parts, Piece(f"run_{n} = ")]) for n in range(DECODE_RUNS)])
    finally:
        await engine.close()
    warm_ms = statistics.median(usage.first_token_ms for usage in warm)
    return {
        "model": info.name,
        "context_tokens": info.context_tokens,
        "prompt_tokens": cold.prompt_tokens,
        "threads": threads,
        "cores": psutil.cpu_count(),
        "cold_first_token_ms": round(cold.first_token_ms, 1),
        "warm_first_token_ms": round(warm_ms, 2),
        "ratio": round(cold.first_token_ms / max(warm_ms, 0.001), 1),
        "volatile_tokens": int(statistics.median(usage.prefill_tokens for usage in warm)),
        "decode_tokens_per_s": round(decode, 1),
    }


async def _prompt(engine: Engine, tokens: int) -> list[PromptPart]:
    """Make code that no engine has read before, in pieces, of nearly that many tokens."""
    salt = time.time_ns()
    parts: list[PromptPart] = []
    used = 0
    while True:
        lines = [f"def f_{salt}_{len(parts)}_{n}(a, b):\n    return a * {n} + b\n" for n in range(PIECE_LINES)]
        text = "\n".join(lines)
        (count,) = await engine.count_tokens([text])
        if parts and used + count > tokens:
            return parts
        parts.append(Piece(text, stable=True))
        used += count


async def _first_token(engine: Engine, parts: list[PromptPart]) -> Usage:
    return await _usage(engine, Infill(prompt=tuple(parts), max_tokens=1))


async def _decode_rate(engine: Engine, parts: list[PromptPart]) -> float:
    """Return tokens per second after the first token."""
    usage = await _usage(engine, Infill(prompt=tuple(parts), max_tokens=DECODE_TOKENS))
    return (usage.generated_tokens - 1) / max(usage.total_ms - usage.first_token_ms, 0.001) * 1000


async def _usage(engine: Engine, request: Infill) -> Usage:
    usage = Usage()
    async with aclosing(engine.infill(request)) as chunks:
        async for chunk in chunks:
            usage = chunk.usage or usage
    return usage


def _bare(path: str, prompt_tokens: int, threads: int) -> float:
    """Run the bare loop in a process of its own, as often as the engine ran."""
    command = [sys.executable, "-m", "spark_lsp", "engine", "bare", path, str(prompt_tokens), str(DECODE_TOKENS)]
    best = 0.0
    for _ in range(2):
        done = subprocess.run([*command, str(threads)], capture_output=True, check=True)  # noqa: S603 - our own module
        best = max(best, float(msgspec.json.decode(done.stdout)["decode_tokens_per_s"]))
    return best
