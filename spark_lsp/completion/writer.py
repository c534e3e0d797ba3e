"""Runs generations: packs the prompt, streams the model's output into a SharedGeneration, keeps the result.

A generation always ends done, with a reason. Never decides what is asked for, nor when.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Protocol

from spark_lsp.completion.recording import Recording
from spark_lsp.completion.rejection_backoff import AnswerBasis, settings_key
from spark_lsp.completion.reuse import Reuse
from spark_lsp.completion.shared_generation import SharedGeneration
from spark_lsp.engine.base import BACKGROUND_PRIORITY, CompletionRequest, Engine, Sampling, Usage
from spark_lsp.errors import ModelNoFim, Reason, SparkError
from spark_lsp.pacing import RunningMean
from spark_lsp.prompt.pack import Packed
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.trace import bug

SINGLE_LINE_TOKENS = 64  # the longest single line worth showing; 95 % of accepted ones have under 73 characters
TOKENS_PER_LINE = 20
BACKGROUND_LIMIT_MS = 10_000  # a generation that no request could wait for any more
FIRST_LATENCY_GUESS_MS = 150.0
NEXT_PRIORITY = BACKGROUND_PRIORITY
"""Priority of prepared generations: after every request that a user waits for."""
CANDIDATE_TEMPERATURE = 0.8
"""Of further candidates: high enough to differ, the value that Tabby uses."""


class Prompts(Protocol):
    """What a writer needs of the context."""

    @property
    def digest(self) -> str:
        """Names what of the workspace is shown; answers depend on it."""
        ...

    def prepare(self, snapshot: Snapshot, offset: int) -> object:
        """Begin what a prompt for a cursor needs."""
        ...

    async def pack_for(self, snapshot: Snapshot, offset: int) -> Packed:
        """Return the prompt for a cursor."""
        ...

    def stops(self) -> tuple[str, ...]:
        """Return the special tokens that end an answer."""
        ...

    def learn(self, usage: Usage) -> None:
        """Learn the prefill cost from a finished request."""
        ...


class Writer:
    """Asks one engine for one workspace. ``record``, where set, is given every request that the model answered."""

    def __init__(
        self, engine: Engine, prompts: Prompts, reuse: Reuse, record: Callable[[Recording], str] | None = None
    ) -> None:
        self._engine = engine
        self._prompts = prompts
        self._reuse = reuse
        self.latency_ms = RunningMean(FIRST_LATENCY_GUESS_MS)
        self._record = record
        self._is_closed = False

    def close(self) -> None:
        """Ask the engine for nothing any more: the workspace is left, and whoever still waits is told so."""
        self._is_closed = True

    @property
    def is_recording(self) -> bool:
        """Whether requests are recorded."""
        return self._record is not None

    def record_with(self, record: Callable[[Recording], str]) -> None:
        """Give every request that the model answers from now on to a function."""
        self._record = record

    @property
    def model_name(self) -> str:
        """The loaded model's name; empty before it is loaded."""
        return self._engine.model.name if self._engine.model else ""

    @property
    def basis(self) -> AnswerBasis:
        """What an answer depends on at this moment."""
        fingerprint = self._engine.model.fingerprint if self._engine.model else ""
        return AnswerBasis(self.model_name, fingerprint, self._prompts.digest)

    def begin(self, generation: SharedGeneration) -> SharedGeneration:
        """Start to generate."""
        generation.run(self._generate(generation))
        return generation

    async def candidate(self, base: SharedGeneration, seed: int) -> SharedGeneration:
        """Write another answer to the same prompt; it is not kept for reuse."""
        generation = SharedGeneration(base.cursor, base.terms, manual=True, packed=base.packed)
        sampling = Sampling(temperature=CANDIDATE_TEMPERATURE, seed=seed)
        await self._stream(generation, sampling, key=f"{base.cursor.snapshot.uri}#candidate{seed}")
        return generation

    async def _generate(self, generation: SharedGeneration) -> None:
        """Generate to the end, which comes with a reason whatever happens; keep the result."""
        if self._is_closed:
            generation.end(Reason.SUPERSEDED)
            return
        try:
            await self._start_model()
            terms = generation.terms  # they were made when nobody knew which model it is
            generation.begin(settings_key(self.basis, terms.max_lines, terms.confidence))
            cursor = generation.cursor
            await cursor.grow()
            generation.take_prompt(await self._prompts.pack_for(cursor.snapshot, cursor.offset))
            await self._stream(
                generation, Sampling(), key=cursor.snapshot.uri + ("#next" if generation.is_next else "")
            )
            self._prompts.learn(generation.usage)
            result = generation.finish()
            if result is not None:
                self._reuse.store(result, is_next=generation.is_next)
        except SparkError as error:
            generation.end(error.reason)
        except asyncio.CancelledError:
            generation.end(Reason.SUPERSEDED)
            raise
        except Exception as error:  # noqa: BLE001 - a broken request must still be answered
            generation.end(Reason.ENGINE_FAILED)
            bug("generation failed", error=repr(error))

    async def _start_model(self) -> None:
        model = await self._engine.start()
        if not model.family:
            raise ModelNoFim(f"The model {model.name} has no known fill-in-the-middle tokens.")

    async def _stream(self, generation: SharedGeneration, sampling: Sampling, *, key: str) -> None:
        """Let the model generate until it or a rule says stop."""
        assert generation.packed is not None, "a prompt comes before its answer"
        lines = generation.terms.max_lines if generation.cursor.multi_line else 1
        request = CompletionRequest(
            prompt=generation.packed.parts,
            max_tokens=SINGLE_LINE_TOKENS if lines == 1 else TOKENS_PER_LINE * lines,
            stops=self._prompts.stops(),
            sampling=sampling,
            deadline_ms=0 if generation.manual else BACKGROUND_LIMIT_MS,
            priority=NEXT_PRIORITY if generation.is_next else 0,
            key=key,
        )
        async with aclosing(self._engine.generate(request)) as chunks:
            async for chunk in chunks:
                is_waiting = not generation.first_token_ms
                generation.take(chunk.without_controls())
                if is_waiting and generation.first_token_ms and not generation.is_next:
                    self.latency_ms.add(generation.first_token_ms)
                if generation.is_enough:
                    break
        if self._record is not None and self._engine.model is not None:
            generation.note_recording(self._record(Recording.of(generation, request, self._engine.model)))
