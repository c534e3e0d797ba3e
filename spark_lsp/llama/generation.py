"""One answer, one decode at a time: prefill the tokens that are not cached, then decode, several at once with drafts.

An answer can pause after any step and resume, also when another answer has taken its slot meanwhile.
Never waits and never looks at a queue: the scheduler decides which step is next.
"""

import time
from typing import Final

import numpy as np

from spark_lsp.engine.base import Chunk, CompletionRequest, StopCause, Usage
from spark_lsp.errors import EngineFailed, EngineStarting
from spark_lsp.llama.drafting import NO_DRAFT, Drafting
from spark_lsp.llama.generated_tokens import GeneratedTokens
from spark_lsp.llama.generation_context import GenerationContext
from spark_lsp.llama.healing import MAX_LAST_WORD_TOKENS, choose_path
from spark_lsp.llama.kv.cells import Tokens
from spark_lsp.llama.kv.checkpoints import MIN_TAIL_STEP_TOKENS
from spark_lsp.llama.prompt_slot import PromptSlot
from spark_lsp.llama.prompt_tokens import prompt_tokens
from spark_lsp.llama.sample import TokenChooser, margin

MAX_REWOUND_TOKENS: Final = MIN_TAIL_STEP_TOKENS + MAX_LAST_WORD_TOKENS
"""Most tokens of a prompt that are decoded with the answer's first: those behind a prompt's last checkpoint."""
CLOSE_LOGITS = 0.25
"""Two tokens nearer than this can change places by rounding: by up to 0.11 each, measured with Q8_0 weights."""


class Generation:
    """The steps of one answer. ``received`` is the ``perf_counter`` at which the request came in.

    ``prompt`` has the slot and prefills, ``answer`` the tokens by now; drafts are a part of their own.
    """

    def __init__(self, generation_context: GenerationContext, request: CompletionRequest, received: float) -> None:
        """Tokenise the prompt and see that it fits.

        Raises:
            ModelNoFim: a special token is not in the vocabulary.
            EngineFailed: the prompt is empty or does not fit, or the grammar cannot be read.
        """
        self.context = generation_context.pool.context
        self._pool, self._vocabulary = generation_context.pool, generation_context.vocabulary
        self._sampling = request.sampling
        self._received = received
        heals = not request.sampling.grammar
        prompt = prompt_tokens(self._vocabulary, generation_context.cache, request.prompt, heals=heals)
        size, capacity = len(prompt.run), self.context.prompt_tokens
        if not size:
            raise EngineFailed("The prompt is empty.")
        if size >= capacity:
            raise EngineFailed(f"The prompt has {size:,} tokens and the context holds {capacity:,}.")
        is_cached_prefix = prompt.is_stable and request.max_tokens == 0
        self.prompt = PromptSlot(
            generation_context, prompt, priority=request.priority, is_cached_prefix=is_cached_prefix
        )
        self.answer = GeneratedTokens(max(0, min(request.max_tokens, capacity - size)))
        self._drafting = Drafting(generation_context, request)
        special_tokens = (self._vocabulary.special_token(text) for text in request.stops)
        self._stops = frozenset(token for token in special_tokens if token is not None)
        self._chooser = TokenChooser(self._vocabulary, request.sampling)
        self._decode_steps = 0
        self._first_token_ms = 0.0
        self._computed_s = 0.0

    def close(self) -> None:
        """Free the samplers and the slot. Idempotent."""
        self._chooser.close()
        self.prompt.release()

    def step(self, *, is_idle: bool = False) -> StopCause | None:
        """Make one decode and, once the prompt is prefilled, choose tokens. Return why the answer ends, or None.

        ``is_idle``: nobody has waited for an answer for a while, so background work may use the whole machine.

        Raises:
            EngineFailed: the library refused or failed.
            EngineStarting: the model was unloaded since the last step.
        """
        if self.context.handle is None:
            raise EngineStarting("The model was unloaded in the middle of the answer; the next request loads it again.")
        before_s = self.context.computed_s
        try:
            return self._step(is_idle=is_idle)
        finally:
            self._computed_s += self.context.computed_s - before_s

    def take(self) -> Chunk | None:
        """Return the tokens since the last call as a chunk, None without any. The first chunk has the usage so far.

        While a cached prefix is prefilled, a chunk without text has its progress.
        """
        if self.prompt.is_cached_prefix:
            return Chunk("", 0, usage=self._usage())
        return self.answer.take(self._usage() if self.answer.is_untaken else None)

    def last_chunk(self, stop: StopCause) -> Chunk:
        """Return the rest of the answer with its stop cause and usage."""
        return self.answer.take_rest(stop, self._usage())

    def _step(self, *, is_idle: bool) -> StopCause | None:
        self.prompt.take(self.answer.tokens)
        missing_tokens = len(self.prompt.run) - len(self.prompt.mirror)
        if missing_tokens > (MAX_REWOUND_TOKENS if len(self.answer) else 0):
            return self._prefill(is_idle=is_idle)
        if self.answer.max_tokens == 0:  # a prompt that was only to be cached
            return "max_tokens"
        pending = self.answer.tokens[max(0, len(self.prompt.mirror) - len(self.prompt.run)) :]
        if missing_tokens > 0:  # a recurrent state went back to a checkpoint before the prompt's end
            return self._decode(np.concatenate([self.prompt.take_missing(), pending]))
        if not len(pending):  # the prompt was cached to its end: its last token gives the logits
            self.prompt.drop_rows()
            return self._prefill(is_idle=is_idle)
        return self._decode(pending)

    def _prefill(self, *, is_idle: bool) -> StopCause | None:
        """Prefill a part of the prompt; after the last part choose the first token."""
        chooses = self.answer.max_tokens > 0 and not len(self.answer)
        return self._choose_first() if self.prompt.prefill(chooses=chooses, is_idle=is_idle) else None

    def _decode(self, pending: Tokens) -> StopCause | None:
        """Decode the last token with a draft, and choose tokens as long as the draft was right."""
        context, slot = self.context, self.prompt.slot
        resident = len(self.prompt.mirror)
        most = context.batch_tokens
        if len(pending) > most:  # the slot was lost during a long answer: prefill what was generated first
            self._pool.ensure_free(most, slot)
            context.decode(slot, pending[:most])
            return None
        n_past = context.attended(slot)
        draft = NO_DRAFT
        if len(pending) == 1:
            draft = self._drafting.draft(self.prompt.run, self.answer.tokens, n_past, self.answer.missing)
        self._pool.ensure_free(len(pending) + len(draft), slot)
        began = time.perf_counter()
        if len(draft):  # a wrong draft takes the sequence back to here
            context.keep_checkpoint(slot, is_passing=True)
        batch = np.concatenate([pending, draft]) if len(draft) else pending
        outcome = context.decode(slot, batch, outputs=len(draft) + 1)
        if outcome == "aborted":
            kept = min(len(self.prompt.mirror), resident + len(pending) - 1)
            context.truncate(slot, max(kept, resident))
            return None
        self._decode_steps += 1
        if len(pending) == 1:
            self._drafting.decoded(len(batch), time.perf_counter() - began, n_past)
        stop, accepted, is_close = self._choose_along(draft)
        self._drafting.checked(len(draft), accepted, n_past, is_close=is_close)
        if len(draft):  # the last token of a close call is decoded again, alone
            context.truncate(slot, resident + len(pending) + accepted - int(is_close))
        return stop

    def _choose_along(self, draft: Tokens) -> tuple[StopCause | None, int, bool]:
        """Choose a token for each row as long as the draft foresaw it.

        Return why to stop, how many tokens the draft foresaw, and whether the choice behind them was a close call. Such
        a choice is left to a decode of that token alone: several rows round otherwise than one. Under a grammar the
        lead says nothing, because the tokens that it forbids stand among the logits.
        """
        is_free = not self._sampling.grammar
        for row in range(len(draft) + 1):
            if len(draft) and is_free and margin(self.context.logits(row)) < CLOSE_LOGITS:
                return None, row, True
            count = len(self.answer)
            stop = self._choose(row)
            is_foreseen = row < len(draft) and len(self.answer) > count and self.answer.tokens[-1] == draft[row]
            if stop is not None or not is_foreseen:
                return stop, row, False
        raise AssertionError("the row behind the draft predicts nothing")

    def _choose_first(self) -> StopCause | None:
        """Choose the first token, and with it the tokens in which the end of the prompt is written."""
        last_word = self.prompt.take_last_word()
        if last_word is None:
            return self._choose()
        vocabulary = self._vocabulary
        path = choose_path(vocabulary, last_word, self.context.logits, self._sampling, self._chooser.scratch)
        if path.token is None:
            return self._choose(prior=path.probability)
        self.prompt.end_in(last_word, path.kept)
        self._first_token_ms = self._elapsed_ms()
        return self.answer.add(path.token, path.probability, vocabulary.piece(path.token)[path.typed :])

    def _choose(self, row: int = -1, *, prior: float = 1.0) -> StopCause | None:
        """Choose the token behind a row; ``prior`` is the probability of the last word's tokens."""
        chosen = self._chooser.choose(self.context, row)
        if not len(self.answer):
            self._first_token_ms = self._elapsed_ms()
        if chosen is None:
            return "end"
        token, probability = chosen
        vocabulary = self._vocabulary
        if vocabulary.ends_generation(token):
            return "end" if token not in self._stops else "stop_token"
        if token in self._stops or vocabulary.is_special(token):
            return "stop_token"
        return self.answer.add(token, probability * prior, vocabulary.piece(token))

    def _usage(self) -> Usage:
        return Usage(
            prompt_tokens=len(self.prompt.prompt.run),
            cached_tokens=self.prompt.cached_tokens,
            prefill_tokens=self.prompt.prefilled_tokens,
            generated_tokens=len(self.answer),
            drafted_tokens=self._drafting.drafted_tokens,
            accepted_draft_tokens=self._drafting.accepted_tokens,
            decode_steps=self._decode_steps,
            restored_tokens=self.prompt.restored_tokens,
            first_token_ms=self._first_token_ms,
            total_ms=self._elapsed_ms(),
            compute_ms=self._computed_s * 1000,
            prefill_cost=self.context.rates.prefill_cost,
        )

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._received) * 1000
