"""One answer of the engine as texts that may be sent on: cut at the client's stops, counted, and ended with a cause.

Closing the iterator stops the model.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import msgspec

from spark_lsp.engine.base import CompletionRequest, Engine, StopCause, Usage

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class AnswerEnd:
    """How an answer ended, and what it cost. ``stop_text`` is the client's stop that ended it, if one did."""

    reason: FinishReason
    usage: Usage
    stop_text: str = ""


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """Text to send; the last part carries the end, and its text may be empty."""

    text: str
    end: AnswerEnd | None = None


class StopTexts:
    """Finds which of some texts is complete first in a stream, however it is cut; holds back what may begin one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""

    def feed(self, text: str) -> tuple[str, str]:
        """Return what may be sent now, and the stop that was found; "" while there is none."""
        text = self._held + text
        stops = [(at + len(stop), at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if stops:
            _, at, stop = min(stops)
            self._held = ""
            return text[:at], stop
        kept = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept], ""

    def rest(self) -> str:
        """Return what was held back; the stream is over."""
        return self._held


async def answer(
    engine: Engine, request: CompletionRequest, stops: Sequence[str], *, line_limit_ms: float = 0.0
) -> AsyncGenerator[AnswerPart]:
    """Stream an answer. After ``line_limit_ms`` of writing it ends at the next line end; 0 means no such limit.

    Raises:
        EngineError, ModelError: the engine could not answer.
    """
    watch, tokens, usage = StopTexts(stops), 0, Usage()
    first_s = 0.0
    async with aclosing(engine.generate(request)) as chunks:
        async for chunk in chunks:
            tokens += chunk.tokens
            usage = chunk.usage or usage
            first_s = first_s or (perf_counter() if chunk.text else 0.0)
            text, stop_text = watch.feed(chunk.text)
            is_late = bool(line_limit_ms and first_s and (perf_counter() - first_s) * 1000 > line_limit_ms)
            if stop_text or (is_late and "\n" in text):
                yield AnswerPart(text, AnswerEnd("stop", _counted(usage, tokens, request), stop_text))
                return
            if chunk.stop is not None:
                yield AnswerPart(text + watch.rest(), AnswerEnd(_reason(chunk.stop), usage))
                return
            if text:
                yield AnswerPart(text)


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of a text that begins a stop."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)


def _reason(stop: StopCause) -> FinishReason:
    return "length" if stop in {"max_tokens", "deadline"} else "stop"


def _counted(usage: Usage, tokens: int, request: CompletionRequest) -> Usage:
    """Return the usage of an answer that was ended here: the engine's own account came too early to know the end."""
    return msgspec.structs.replace(usage, generated_tokens=min(tokens, request.max_tokens))
