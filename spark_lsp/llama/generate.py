"""One answer, one decode at a time: prefill what is not resident, then token by token until a reason to stop.

Can be left after any step and taken up again, also when another answer has used the context in between.
Never waits and never looks at a queue: the scheduler decides when a step is made and whether another follows.
"""

import codecs
import time
from collections.abc import Sequence

import numpy as np

from spark_lsp.engine.base import Chunk, Control, Infill, PromptPart, StopCause, Usage
from spark_lsp.errors import EngineFailed, ModelNoFim
from spark_lsp.llama.cache import Segment, Tokens, joined
from spark_lsp.llama.context import BATCH_TOKENS, Context
from spark_lsp.llama.model import TokenCache, Vocabulary
from spark_lsp.llama.sample import Chooser


def prompt_segments(vocabulary: Vocabulary, cache: TokenCache, prompt: Sequence[PromptPart]) -> list[Segment]:
    """Turn a prompt into tokens, part by part, so that equal parts have equal tokens.

    Raises:
        ModelNoFim: a control token is not in the vocabulary.
    """
    segments: list[Segment] = []
    if vocabulary.begin is not None:
        segments.append(_control_segment(vocabulary.begin))
    for part in prompt:
        if isinstance(part, Control):
            token = vocabulary.control(part.text)
            if token is None:
                raise ModelNoFim(
                    f"The model has no control token {part.text}.",
                    fix="Choose a model that was trained to fill in the middle, such as Qwen2.5-Coder.",
                )
            segments.append(_control_segment(token))
        elif part.text:
            key, tokens = cache.tokens(vocabulary, part.text)
            segments.append(Segment(key, tokens))
    return segments


class Generation:
    """The running state of one answer. ``received`` is the ``perf_counter`` at which the request came in."""

    def __init__(
        self, context: Context, vocabulary: Vocabulary, cache: TokenCache, request: Infill, received: float
    ) -> None:
        """Tokenise the prompt and see that it fits.

        Raises:
            ModelNoFim: a control token is not in the vocabulary.
            EngineFailed: the prompt is empty or does not fit, or the grammar cannot be read.
        """
        self._context = context
        self._vocabulary = vocabulary
        self._received = received
        self._segments = prompt_segments(vocabulary, cache, request.prompt)
        self._prompt = joined(self._segments)
        if not len(self._prompt):
            raise EngineFailed("The prompt is empty.")
        if len(self._prompt) >= context.capacity:
            raise EngineFailed(
                f"The prompt has {len(self._prompt):,} tokens and the context holds {context.capacity:,}."
            )
        self._most_tokens = max(0, min(request.max_tokens, context.capacity - len(self._prompt)))
        controls = (vocabulary.control(text) for text in request.stops)
        self._stops = frozenset(token for token in controls if token is not None)
        self._chooser = Chooser(vocabulary, request.sampling)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._generated: list[int] = []
        self._cached: int | None = None
        self._prefilled = 0
        self._first_token_ms = 0.0
        self._text: list[str] = []
        self._tokens = 0
        self._probability = 1.0

    def close(self) -> None:
        """Free the samplers. Idempotent."""
        self._chooser.close()

    def step(self) -> StopCause | None:
        """Make one decode and, when the whole prompt is in, choose a token. Return why the answer ends, if it does.

        Raises:
            EngineFailed: the library refused or failed.
        """
        self._take_context()
        pending = self._pending()
        batch = pending[:BATCH_TOKENS]
        last = len(batch) == len(pending)
        before = len(self._context.mirror)
        outcome = self._context.decode(batch, logits=last)
        if not self._generated:
            self._prefilled += len(self._context.mirror) - before
        if outcome == "aborted" or not last:
            return None
        if not self._generated:
            self._context.mirror.name(self._segments)
        return self._choose()

    def take(self) -> Chunk | None:
        """Return what was generated since the last call, None when that is nothing. The first chunk tells the cost."""
        if not self._tokens:
            return None
        first = self._tokens == len(self._generated)
        chunk = Chunk("".join(self._text), self._tokens, self._probability, usage=self._usage() if first else None)
        self._text, self._tokens, self._probability = [], 0, 1.0
        return chunk

    def last_chunk(self, stop: StopCause) -> Chunk:
        """Return the rest of the answer with its stop and what it cost."""
        tail = self._decoder.decode(b"", final=True)
        rest = self.take() or Chunk("", 0)
        return Chunk(rest.text + tail, rest.tokens, rest.probability, stop, self._usage())

    def _usage(self) -> Usage:
        return Usage(
            prompt_tokens=len(self._prompt),
            cached_tokens=self._cached or 0,
            prefill_tokens=self._prefilled,
            generated_tokens=len(self._generated),
            first_token_ms=self._first_token_ms,
            total_ms=self._elapsed_ms(),
        )

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._received) * 1000

    def _take_context(self) -> None:
        """Make the resident tokens a prefix of ours, unless they are known to be."""
        if self._context.owner is self:
            return
        kept = self._context.reuse([*self._segments, Segment(b"", np.array(self._generated, np.int32))])
        self._context.owner = self
        if self._cached is None:
            self._cached = min(kept, len(self._prompt) - 1)

    def _pending(self) -> Tokens:
        """Tokens of the prompt and the answer that are not decoded yet; never none."""
        resident = len(self._context.mirror)
        at = resident - len(self._prompt)
        if at >= 0:
            return np.array(self._generated[at:], np.int32)
        answer = np.array(self._generated, np.int32)
        return np.concatenate([self._prompt[resident:], answer])

    def _choose(self) -> StopCause | None:
        if self._most_tokens == 0:  # a prompt that was only to be made resident
            return "max_tokens"
        chosen = self._chooser.choose(self._context)
        if not self._generated:
            self._first_token_ms = self._elapsed_ms()
        if chosen is None:
            return "end"
        token, probability = chosen
        if self._vocabulary.ends_generation(token):
            return "end" if token not in self._stops else "stop_token"
        if token in self._stops or self._vocabulary.is_control(token):
            return "stop_token"
        self._generated.append(token)
        self._text.append(self._decoder.decode(self._vocabulary.piece(token)))
        self._tokens += 1
        self._probability = min(self._probability, probability)
        return "max_tokens" if len(self._generated) >= self._most_tokens else None


def _control_segment(token: int) -> Segment:
    return Segment(b"\0" + token.to_bytes(4, "big"), np.array([token], np.int32))
