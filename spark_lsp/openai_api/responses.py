"""The JSON of answers: OpenAI's completions and chat, whole or as events, and llama.cpp's ``/infill``. Pure."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from spark_lsp.engine.base import Usage
from spark_lsp.openai_api.answers import AnswerEnd, AnswerPart

DONE: Final = b"data: [DONE]\n\n"

Route = Literal["completions", "chat", "infill"]
_OBJECTS: Final = {"completions": "text_completion", "chat": "chat.completion", "infill": ""}
_IDS: Final = {"completions": "cmpl", "chat": "chatcmpl", "infill": "infill"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What all documents of one answer share."""

    route: Route
    model: str
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, parts: Sequence[AnswerPart]) -> dict[str, Any]:
        """Return the document of an answer that is complete."""
        text = "".join(part.text for part in parts)
        end = parts[-1].end if parts else None
        assert end is not None, "the last part carries the end"
        if self.route == "infill":
            return {"content": text, "stop": True, **self._infill_end(end)}
        choice: dict[str, Any] = {"index": 0, "finish_reason": end.reason, "logprobs": None}
        choice |= {"message": {"role": "assistant", "content": text}} if self.route == "chat" else {"text": text}
        return {**self._head(is_chunk=False), "choices": [choice], "usage": usage_of(end.usage)}

    def events(self, part: AnswerPart, *, is_first: bool, with_usage: bool) -> list[bytes]:
        """Return the events of a part of a streamed answer; the last part's end the stream."""
        end = part.end
        if self.route == "infill":
            last = self._infill_end(end) if end else {}
            return [event({"content": part.text, "stop": end is not None, **last})]
        events = []
        if is_first and self.route == "chat":
            events.append(self._delta({"delta": {"role": "assistant", "content": ""}}, None))
        if part.text:
            delta = {"delta": {"content": part.text}} if self.route == "chat" else {"text": part.text}
            events.append(self._delta(delta, None))
        if end is not None:
            events.append(self._delta({"delta": {}} if self.route == "chat" else {"text": ""}, end.reason))
            if with_usage:
                usage = {**self._head(is_chunk=True), "choices": [], "usage": usage_of(end.usage)}
                events.append(event(usage))
            events.append(DONE)
        return events

    def _delta(self, delta: dict[str, Any], reason: str | None) -> bytes:
        choice = {"index": 0, **delta, "logprobs": None, "finish_reason": reason}
        return event({**self._head(is_chunk=True), "choices": [choice]})

    def _head(self, *, is_chunk: bool) -> dict[str, Any]:
        kind = _OBJECTS[self.route] + (".chunk" if is_chunk and self.route == "chat" else "")
        return {
            "id": f"{_IDS[self.route]}-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "spark-lsp",
        }

    def _infill_end(self, end: AnswerEnd) -> dict[str, Any]:
        usage = end.usage
        decode_ms = max(usage.total_ms - usage.first_token_ms, 0.0)
        return {
            "model": self.model,
            "tokens_predicted": usage.generated_tokens,
            "tokens_evaluated": usage.prompt_tokens,
            "tokens_cached": usage.cached_tokens,
            "truncated": False,
            "stop_type": "limit" if end.reason == "length" else "word" if end.stop_text else "eos",
            "stopping_word": end.stop_text,
            "timings": {
                "prompt_n": usage.prefill_tokens,
                "prompt_ms": usage.first_token_ms,
                "prompt_per_second": _rate(usage.prefill_tokens, usage.first_token_ms),
                "predicted_n": usage.generated_tokens,
                "predicted_ms": decode_ms,
                "predicted_per_second": _rate(usage.generated_tokens, decode_ms),
            },
        }


def event(document: dict[str, Any]) -> bytes:
    """Return a document as one server-sent event."""
    return b"data: " + msgspec.json.encode(document) + b"\n\n"


def usage_of(usage: Usage) -> dict[str, Any]:
    """Return what an answer cost, in OpenAI's words."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.generated_tokens,
        "total_tokens": usage.prompt_tokens + usage.generated_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def models_of(names: Sequence[str], created: int) -> dict[str, Any]:
    """Return the list of models."""
    rows = [{"id": name, "object": "model", "created": created, "owned_by": "spark-lsp"} for name in names]
    return {"object": "list", "data": rows}


def _rate(tokens: int, duration_ms: float) -> float:
    return tokens * 1000 / duration_ms if duration_ms else 0.0
