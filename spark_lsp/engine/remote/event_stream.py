"""Turns the events of a remote answer into chunks with counts, a deadline and one final chunk. Pure but for a clock."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from spark_lsp.engine.base import Chunk, CompletionRequest, StopCause, Usage
from spark_lsp.engine.fim import pieces, prompt_tokens
from spark_lsp.engine.remote.http import EndpointFailure
from spark_lsp.engine.remote.prompt_text import as_messages, estimated_tokens, is_conversation
from spark_lsp.engine.remote.response import Event, OpeningSkipper, ReportedUsage, StopScanner
from spark_lsp.errors import EngineFailed

Item = Event | EndpointFailure | None
"""What is waited for: an event, why there is none, or None when a newer request of the same key came."""

_CAUSES: Final[dict[str, StopCause]] = {"length": "max_tokens", "stop": "end"}
_SPELLED_ENDS: Final = ("<|endoftext|>", "<|im_end|>", "<｜end▁of▁sentence｜>", "<|end_of_text|>")
"""Ends of answers that a server spells out, because it was asked to spell out special tokens."""


async def next_item(queue: "asyncio.Queue[Item]", seconds_left: float | None) -> Item | StopCause:
    """Wait for the next item, no longer than until the deadline."""
    try:
        async with asyncio.timeout(seconds_left):
            return await queue.get()
    except TimeoutError:
        return "deadline"


class AnswerReader:
    """Reads one answer. ``now`` is the event loop's clock, in seconds."""

    def __init__(self, request: CompletionRequest, now: Callable[[], float]) -> None:
        self._request = request
        self._now = now
        self._started = now()
        opening = as_messages(request.prompt)[1] if is_conversation(request.prompt) else ""
        self._skipper = OpeningSkipper(opening)
        self._scanner = StopScanner((*request.stops, *_SPELLED_ENDS))
        self._reported: ReportedUsage | None = None
        self._finish = ""
        self._tokens = 0
        self._first_ms = 0.0
        self._said = False
        self._ended = False

    def seconds_left(self) -> float | None:
        """Return how long the answer may still take; None without a deadline."""
        if self._request.deadline_ms <= 0:
            return None
        return max(0.0, self._started + self._request.deadline_ms / 1000 - self._now())

    def take(self, item: Item | StopCause) -> Iterator[Chunk]:
        """Take an item in; yield what it adds, with the final chunk where the answer ends.

        Raises:
            EngineFailed: there is no answer, or only half of one.
        """
        if item is None:
            yield self._last("", "cancelled")
        elif isinstance(item, str):
            yield self._last(self._scanner.flush(), item)
        elif isinstance(item, EndpointFailure):
            raise EngineFailed(f"{item.words}.", fix=item.fix)
        else:
            yield from self._take_event(item)

    def _take_event(self, event: Event) -> Iterator[Chunk]:
        self._reported = event.usage or self._reported
        self._finish = event.finish or self._finish
        if event.text:
            yield from self._take_text(event.text)
        if event.is_last and not self._ended:
            text, _ = self._scanner.feed(self._skipper.flush())
            yield self._last(text + self._scanner.flush(), _CAUSES.get(self._finish, "end"))

    def _take_text(self, text: str) -> Iterator[Chunk]:
        if self._request.max_tokens == 0 or self._tokens >= self._request.max_tokens:
            self._ended = True
            yield self._last("", "max_tokens")
            return
        self._tokens += 1
        if not self._first_ms:
            self._first_ms = self._elapsed_ms()
        shown, stopped = self._scanner.feed(self._skipper.feed(text))
        if stopped:
            self._ended = True
            yield self._last(shown, "stop_token", tokens=1)
        elif shown or not self._said:
            usage = None if self._said else self._usage()
            self._said = True
            yield Chunk(shown, 1, usage=usage)
        else:
            yield Chunk("", 1)

    def _last(self, text: str, stop: StopCause, *, tokens: int = 0) -> Chunk:
        reported = self._reported.completion_tokens if self._reported else 0
        unseen = max(0, min(reported, self._request.max_tokens) - self._tokens)
        self._tokens += unseen
        return Chunk(text, tokens + unseen, stop=stop, usage=self._usage())

    def _usage(self) -> Usage:
        prompt = self._reported.prompt_tokens if self._reported else 0
        if not prompt:
            prompt = prompt_tokens(self._request.prompt, estimated_tokens(pieces(self._request.prompt)))
        cached = min((self._reported.cached_tokens if self._reported else 0) or 0, prompt)
        return Usage(
            prompt_tokens=prompt,
            cached_tokens=cached,
            prefill_tokens=prompt - cached,
            generated_tokens=self._tokens,
            decode_steps=self._tokens,
            first_token_ms=self._first_ms,
            total_ms=self._elapsed_ms(),
        )

    def _elapsed_ms(self) -> float:
        return (self._now() - self._started) * 1000
