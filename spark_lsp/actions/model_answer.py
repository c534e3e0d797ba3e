"""Stream a model's answer for an action, with progress, and stop as soon as the result is decided.

Cancellation passes through and closes the stream, which stops the model.
"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import msgspec

from spark_lsp.actions.base import Target, Tools
from spark_lsp.engine.base import CompletionRequest, Sampling, StopCause, Usage

RETRY: Final = Sampling(temperature=0.5, seed=1)
"""Sampling of the single retry: a greedy model would repeat its answer."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A model's answer and how it ended; None if it was stopped because no more text could count."""

    raw: str
    stop: StopCause | None
    usage: Usage
    probability: float = 1.0
    """The smallest token probability of the answer."""
    pieces: tuple[tuple[str, float], ...] = ()
    """The chunks of the answer, with the probability of each."""


def key_of(target: Target) -> str:
    """Return the key of a document's action requests: a new request supersedes the previous one."""
    return f"action:{target.snapshot.uri}"


async def stream(tools: Tools, request: CompletionRequest, is_over: Callable[[str], bool]) -> ModelAnswer:
    """Read an answer until it ends or ``is_over`` says that no further text can count.

    Raises:
        EngineError, ModelError: the engine could not answer.
    """
    began, raw, tokens, usage = perf_counter(), "", 0, Usage()
    pieces: list[tuple[str, float]] = []
    stop: StopCause | None = None
    probability = 1.0
    async with aclosing(tools.engine.generate(request)) as chunks:
        async for received in chunks:
            chunk = received.without_controls()
            raw += chunk.text
            tokens += chunk.tokens
            pieces.append((chunk.text, chunk.probability))
            usage, stop = chunk.usage or usage, chunk.stop
            probability = min(probability, chunk.probability)
            tools.progress(tokens, tokens / max(perf_counter() - began, 0.001))
            if stop is None and is_over(raw):
                break
    if stop is None:  # the engine's own statistics came too early to know the end
        total_ms = (perf_counter() - began) * 1000
        usage = msgspec.structs.replace(usage, generated_tokens=tokens, total_ms=total_ms)
    return ModelAnswer(raw, stop, usage, probability, tuple(pieces))


def added(first: Usage, second: Usage) -> Usage:
    """Add up the statistics of two requests; the first token is the first request's."""
    counted = (name for name in Usage.__struct_fields__ if name != "prefill_cost")
    totals = {name: getattr(first, name) + getattr(second, name) for name in counted}
    return Usage(
        **{
            **totals,
            "first_token_ms": first.first_token_ms or second.first_token_ms,
            "prefill_cost": second.prefill_cost,
        }
    )
