"""Runs generations: packs the prompt, streams the model's output into a SharedGeneration, keeps the result.

A generation always ends done, with a reason. Never decides what is asked for, nor when.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Protocol

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.pipeline import Terms
from spark_lsp.completion.recording import Recording
from spark_lsp.completion.reuse import Result, Reuse
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

    def settings_key(self, terms: Terms) -> str:
        """Name what an answer depends on besides the document."""
        fingerprint = self._engine.model.fingerprint if self._engine.model else ""
        return f"{fingerprint}:{terms.max_lines}:{terms.confidence}:{self._prompts.digest}"

    def prepare(self, cursor: CursorContext) -> None:
        """Start what a prompt needs, so that it is ready when the wait for the next key is over."""
        self._prompts.prepare(cursor.snapshot, cursor.offset)

    def begin(self, generation: SharedGeneration) -> SharedGeneration:
        """Start to generate."""
        generation.task = asyncio.create_task(self._generate(generation))
        return generation

    async def candidate(self, base: SharedGeneration, seed: int) -> SharedGeneration:
        """Write another answer to the same prompt; it is not kept for reuse."""
        generation = SharedGeneration(base.cursor, base.settings_key, base.terms, manual=True)
        generation.packed = base.packed
        sampling = Sampling(temperature=CANDIDATE_TEMPERATURE, seed=seed)
        await self._stream(generation, sampling, key=f"{base.cursor.snapshot.uri}#candidate{seed}")
        return generation

    async def _generate(self, generation: SharedGeneration) -> None:
        try:
            await self._ask(generation)
        except SparkError as error:
            generation.reason = error.reason
        except asyncio.CancelledError:
            generation.reason = Reason.SUPERSEDED
            raise
        except Exception as error:  # noqa: BLE001 - a broken request must still be answered
            generation.reason = Reason.ENGINE_FAILED
            bug("generation failed", error=repr(error))
        finally:
            generation.done = True
            generation.changed()

    async def _ask(self, generation: SharedGeneration) -> None:
        model = await self._engine.start()
        if not model.family:
            raise ModelNoFim(f"The model {model.name} has no known fill-in-the-middle tokens.")
        generation.settings_key = self.settings_key(
            generation.terms
        )  # which model it is was not known before it was started
        generation.reason = Reason.TIMEOUT
        generation.began_s = asyncio.get_running_loop().time()
        await generation.cursor.grow()
        generation.packed = await self._prompts.pack_for(generation.cursor.snapshot, generation.cursor.offset)
        await self._stream(
            generation, Sampling(), key=generation.cursor.snapshot.uri + ("#next" if generation.is_next else "")
        )
        self._prompts.learn(generation.usage)
        self._keep(generation)

    async def _stream(self, generation: SharedGeneration, sampling: Sampling, *, key: str) -> None:
        """Let the model speak until it or a rule says stop."""
        loop = asyncio.get_running_loop()
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
            async for received in chunks:
                chunk = received.without_controls()
                if not generation.first_token_ms and chunk.text and generation.began_s:
                    generation.first_token_ms = (loop.time() - generation.began_s) * 1000
                    if not generation.is_next:
                        self.latency_ms.add(generation.first_token_ms)
                generation.take(chunk)
                generation.changed()
                if generation.processed.done:
                    break
        if self._record is not None and self._engine.model is not None:
            generation.recorded = self._record(Recording.of(generation, request, self._engine.model))

    def _keep(self, generation: SharedGeneration) -> None:
        processed, cursor = generation.processed, generation.cursor
        if processed.text:
            generation.reason = Reason.OK
            uri, key = cursor.snapshot.uri, generation.settings_key
            text, is_chosen = processed.text, cursor.selected is not None
            result = Result(uri, cursor.prefix, cursor.suffix, text, processed.replaced, key, behind_item=is_chosen)
            if generation.is_next:
                self._reuse.store_next(result)
            else:
                self._reuse.store(result)
        elif not generation.raw.strip():
            generation.reason = Reason.TIMEOUT if generation.stop_cause == "deadline" else Reason.EMPTY
        else:
            generation.reason = Reason.trimmed(processed.rule)
