"""``ScriptedEngine``: an engine for tests, which honours ``engine.base.Engine`` without a model.

Deterministic: it waits on events that the test sets, never on a clock of its own. It keeps the promises that the
contract suite asks of a real engine (order, one final chunk, supersede, exact counts). Never used in production.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from spark_lsp.engine.base import (
    Chunk,
    CompletionRequest,
    EngineStatus,
    ModelInfo,
    SpecialToken,
    StopCause,
    Usage,
)
from spark_lsp.engine.fim import Order, family_named
from spark_lsp.errors import EngineFailed, EngineStarting, ModelNoFim, SparkError

# A word is cut into tokens of at most six characters, a run of blanks into fours; anything else is one token.
_TOKEN: Final = re.compile(r"\w{1,6}|[ \t]{1,4}|\n|.", re.DOTALL)


def fake_tokens(text: str) -> list[str]:
    """Cut a text into the scripted engine's tokens; joined they give the text back."""
    return _TOKEN.findall(text)


@dataclass(slots=True)
class _Stream:
    """One running answer."""

    request: CompletionRequest
    started: float
    superseded: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class ScriptedEngine:
    """Answers by list (in order, the last one repeats) or by function, in chunks of ``chunk_chars`` characters.

    ``requests`` holds every request in order, ``stopped`` how each stream ended. A held engine (``hold``) accepts
    requests but says nothing until ``release``; ``step`` lets a chunk through, the final one included.
    """

    def __init__(
        self,
        answers: Sequence[str] | Callable[[CompletionRequest], str],
        chunk_chars: int = 4,
        family: str = "qwen2.5-coder",
        fim_order: Order = "spm",
        *,
        context_tokens: int = 32_768,
        probability: float | Callable[[str], float] = 1.0,
        chat_template: str = "",
        special_token_texts: Sequence[str] = (),
        size_bytes: int = 0,
    ) -> None:
        assert chunk_chars > 0, "chunks hold something"
        self._answers = answers
        self._chunk_chars = chunk_chars
        self._family = family_named(family)
        self._info = ModelInfo(
            name="scripted",
            path="scripted.gguf",
            family=family,
            fim_order=fim_order,
            architecture="scripted",
            vocabulary_size=1,
            trained_context_tokens=context_tokens,
            context_tokens=context_tokens,
            has_chat_template=bool(chat_template),
            size_bytes=size_bytes,
            fingerprint="scripted",
            chat_template=chat_template,
            special_token_texts=tuple(special_token_texts),
        )
        self._probability_of = probability if callable(probability) else lambda _token: probability
        self._model: ModelInfo | None = None
        self._failure: SparkError | None = None
        self._death: int | None = None
        self._held = False
        self._steps = 0
        self._streams: list[_Stream] = []
        self._resident: list[str] = []
        self.starts = 0
        self.closed = False
        self.start_error: SparkError | None = None
        """Raised by every ``start`` while it is set."""
        self.requests: list[CompletionRequest] = []
        self.stopped: list[StopCause | None] = []
        """How each stream ended, in the order of their ends; None for one that died or was closed."""
        self.arrived = asyncio.Event()
        """Set whenever a request arrives; a test clears it and waits."""

    def hold(self) -> None:
        """Let streams wait before their next chunk, until ``release`` or ``step``."""
        self._held = True

    def release(self) -> None:
        """Let every stream run on."""
        self._held = False
        self._wake()

    def step(self, chunks: int = 1) -> None:
        """Let a number of chunks through while held."""
        self._steps += chunks
        self._wake()

    def fail_next(self, error: SparkError) -> None:
        """Raise the error for the next request instead of answering it."""
        self._failure = error

    def die_after(self, chunks: int) -> None:
        """End the next stream with EngineFailed after that many chunks; the engine must then be started again."""
        self._death = chunks

    async def start(self) -> ModelInfo:
        """Make the engine ready and describe its model."""
        self.starts += 1
        if self.start_error is not None:
            raise self.start_error
        self.closed = False
        self._model = self._info
        return self._info

    @property
    def model(self) -> ModelInfo | None:
        """The described model once started, else None."""
        return self._model

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count with ``fake_tokens``."""
        if self._model is None:
            raise EngineStarting("The engine is not running yet.")
        return [len(fake_tokens(text)) for text in texts]

    async def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Stream the scripted answer."""
        prompt = self._checked(request)
        stream = self._arrive(request)
        cached = min(_common(prompt, self._resident), max(len(prompt) - 1, 0))
        self._resident = prompt
        tokens = fake_tokens(self._answer(request))
        text = "".join(tokens[: request.max_tokens])
        stop: StopCause | None = None
        usage = Usage(prompt_tokens=len(prompt), cached_tokens=cached, prefill_tokens=len(prompt) - cached)
        sent = 0
        try:
            for at in range(0, len(text), self._chunk_chars):
                stop = await self._turn(stream)
                if stop is not None:
                    break
                piece = text[at : at + self._chunk_chars]
                sent += len(fake_tokens(piece))
                usage = msgspec.structs.replace(usage, generated_tokens=sent, total_ms=_ms_since(stream.started))
                scores = tuple((len(token), self._probability_of(token)) for token in fake_tokens(piece))
                smallest = min(probability for _, probability in scores)
                yield Chunk(piece, len(scores), smallest, usage=usage if at == 0 else None, scores=scores)
            if stop is None:
                stop = await self._turn(stream)
            if stop is None:
                stop = "end" if len(tokens) <= request.max_tokens else "max_tokens"
            usage = msgspec.structs.replace(usage, total_ms=_ms_since(stream.started))
            yield Chunk("", 0, stop=stop, usage=usage)
        finally:
            self.stopped.append(stop)
            if stream in self._streams:
                self._streams.remove(stream)

    async def status(self) -> EngineStatus:
        """Describe the scripted engine."""
        return EngineStatus(
            running=self._model is not None,
            model=self._model,
            resident_tokens=len(self._resident),
            clients=0 if self._model is None else 1,
            busy=bool(self._streams),
        )

    async def restart(self) -> ModelInfo:
        """Forget the model and start again."""
        await self.unload()
        return await self.start()

    async def unload(self) -> None:
        """Forget the model until the next start."""
        self._model = None
        self._resident = []

    async def close(self) -> None:
        """Leave."""
        self._model = None
        self.closed = True

    def _checked(self, request: CompletionRequest) -> list[str]:
        """Return the prompt's tokens, or raise what the test or the prompt asks for."""
        if self._model is None:
            raise EngineStarting("The engine is not running yet.")
        if self._failure is not None:
            error, self._failure = self._failure, None
            raise error
        family = () if self._family is None else (*self._family.required, *self._family.stops)
        known = (*family, *self._info.special_token_texts)
        tokens: list[str] = []
        for part in request.prompt:
            if not isinstance(part, SpecialToken):
                tokens += fake_tokens(part.text)
            elif part.text in known:
                tokens.append(f"\0{part.text}")
            else:
                raise ModelNoFim(f"The model has no special token {part.text}.")
        return tokens

    def _arrive(self, request: CompletionRequest) -> _Stream:
        for running in self._streams:
            if request.key and running.request.key == request.key:
                running.superseded = True
                running.wake.set()
        stream = _Stream(request, asyncio.get_running_loop().time())
        self._streams.append(stream)
        self.requests.append(request)
        self.arrived.set()
        return stream

    def _answer(self, request: CompletionRequest) -> str:
        if callable(self._answers):
            return self._answers(request)
        return self._answers[min(len(self.requests), len(self._answers)) - 1] if self._answers else ""

    async def _turn(self, stream: _Stream) -> StopCause | None:
        """Wait until the stream may say its next chunk; return why it must end instead, if it must."""
        self._die_if_told()
        await asyncio.sleep(0)  # streams interleave as they would over a socket
        while True:
            if stream.superseded:
                return "cancelled"
            left = self._seconds_left(stream)
            if left is not None and left <= 0:
                return "deadline"
            if not self._held:
                return None
            if self._steps > 0:
                self._steps -= 1
                return None
            stream.wake.clear()
            try:
                await asyncio.wait_for(stream.wake.wait(), left)
            except TimeoutError:
                continue

    def _seconds_left(self, stream: _Stream) -> float | None:
        if stream.request.deadline_ms <= 0:
            return None
        return stream.started + stream.request.deadline_ms / 1000 - asyncio.get_running_loop().time()

    def _die_if_told(self) -> None:
        if self._death is None:
            return
        if self._death == 0:
            self._death = None
            self._model = None
            self._resident = []
            raise EngineFailed("The engine stopped in the middle of an answer.")
        self._death -= 1

    def _wake(self) -> None:
        for stream in self._streams:
            stream.wake.set()


def _ms_since(started: float) -> float:
    return (asyncio.get_running_loop().time() - started) * 1000


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """Return the length of the longest common prefix."""
    for at, (left_part, right_part) in enumerate(zip(left, right, strict=False)):
        if left_part != right_part:
            return at
    return min(len(left), len(right))
