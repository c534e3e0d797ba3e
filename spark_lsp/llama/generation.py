"""One answer, one decode at a time: prefill the tokens that are not cached, then decode, several at once with drafts.

An answer can pause after any step and resume, also when another answer has taken its slot meanwhile.
Never waits and never looks at a queue: the scheduler decides which step is next.
"""

import codecs
import time
from dataclasses import dataclass

import numpy as np

from spark_lsp.engine.base import BACKGROUND_PRIORITY, Chunk, CompletionRequest, StopCause, Usage
from spark_lsp.errors import EngineFailed, EngineStarting
from spark_lsp.llama.healing import choose_path
from spark_lsp.llama.kv.block_cache import BlockCache, SavedBlock
from spark_lsp.llama.kv.cells import TokenRun, Tokens, TokenSegment
from spark_lsp.llama.kv.llama_context import MAX_DRAFT_TOKENS
from spark_lsp.llama.kv.sequences import SlotPool
from spark_lsp.llama.kv.speed import TILE_TOKENS
from spark_lsp.llama.loading.fit import BATCH_TOKENS
from spark_lsp.llama.loading.gguf_model import TokenCache, Vocabulary
from spark_lsp.llama.prompt_tokens import prompt_tokens
from spark_lsp.llama.sample import TokenChooser, margin
from spark_lsp.llama.speculative.drafter import PromptLookupDrafter
from spark_lsp.llama.speculative.length_policy import LengthPolicy

CLOSE_LOGITS = 0.25
"""Two tokens nearer than this can change places by rounding: by up to 0.11 each, measured with Q8_0 weights."""
_LOOKUP_TOKENS = 16  # the last tokens, by which drafts are looked up
_NO_DRAFT = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True)
class GenerationContext:
    """What all answers of a context share. ``block_cache`` is None where cached prefixes are not kept on disk."""

    pool: SlotPool
    vocabulary: Vocabulary
    cache: TokenCache
    completion_length_policy: LengthPolicy
    rewrite_length_policy: LengthPolicy
    block_cache: BlockCache | None = None


def fair_share(tokens: int, limit: int) -> int:
    """Return how many tokens to prefill at once, so that no batch of less than a tile is left over."""
    if limit < tokens < limit + TILE_TOKENS and limit > TILE_TOKENS:
        return -(-tokens // 2)
    return min(tokens, limit)


class Generation:
    """The running state of one answer. ``received`` is the ``perf_counter`` at which the request came in."""

    def __init__(self, generation_context: GenerationContext, request: CompletionRequest, received: float) -> None:
        """Tokenise the prompt and see that it fits.

        Raises:
            ModelNoFim: a special token is not in the vocabulary.
            EngineFailed: the prompt is empty or does not fit, or the grammar cannot be read.
        """
        self._generation_context = generation_context
        self._pool, self._context = generation_context.pool, generation_context.pool.context
        self._request = request
        self._length_policy = (
            generation_context.rewrite_length_policy if request.drafts else generation_context.completion_length_policy
        )
        self._received = received
        heals = self._context.can_truncate and not request.sampling.grammar
        self._prompt = prompt_tokens(
            generation_context.vocabulary, generation_context.cache, request.prompt, heals=heals
        )
        self._run = self._prompt.run
        self._last_word = self._prompt.last_word
        """The end of the prompt, until it is known in which tokens it is written."""
        self._prior = 1.0
        """The probability of those tokens, where the next one to be chosen is the first."""
        size, capacity = len(self._run), self._context.prompt_tokens
        if not size:
            raise EngineFailed("The prompt is empty.")
        if size >= capacity:
            raise EngineFailed(f"The prompt has {size:,} tokens and the context holds {capacity:,}.")
        self._is_cached_prefix = self._prompt.is_stable and request.max_tokens == 0
        self._most_tokens = max(0, min(request.max_tokens, capacity - size))
        special_tokens = (generation_context.vocabulary.special_token(text) for text in request.stops)
        self._stops = frozenset(token for token in special_tokens if token is not None)
        self._chooser = TokenChooser(generation_context.vocabulary, request.sampling)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._drafter: PromptLookupDrafter | None = None
        self._blocks: tuple[SavedBlock, ...] | None = None
        self._slot = -1
        self._generated: list[int] = []
        self._written = np.empty(self._most_tokens, np.int32)
        self._is_close = False
        self._is_idle = False
        self._cached: int | None = None
        self._counts = {"prefill": 0, "restored": 0, "drafted": 0, "accepted": 0, "steps": 0}
        self._first_token_ms = 0.0
        self._computed_s = 0.0
        self._text: list[str] = []
        self._scores: list[tuple[int, float]] = []

    def close(self) -> None:
        """Free the samplers and the sequence. Idempotent."""
        self._chooser.close()
        self._pool.leave(self)

    def step(self, *, is_idle: bool = False) -> StopCause | None:
        """Make one decode and, once the prompt is prefilled, choose tokens. Return why the answer ends, or None.

        ``is_idle``: nobody has waited for an answer for a while, so background work may use the whole machine.

        Raises:
            EngineFailed: the library refused or failed.
            EngineStarting: the model was unloaded since the last step.
        """
        if self._context.handle is None:
            raise EngineStarting("The model was unloaded in the middle of the answer; the next request loads it again.")
        self._is_idle = is_idle
        before_s = self._context.computed_s
        try:
            return self._step()
        finally:
            self._computed_s += self._context.computed_s - before_s

    def take(self) -> Chunk | None:
        """Return the tokens since the last call as a chunk, None without any. The first chunk has the usage so far.

        While a cached prefix is prefilled, a chunk without text has its progress.
        """
        if not self._scores:
            return Chunk("", 0, usage=self._usage()) if self._is_cached_prefix else None
        first = len(self._scores) == len(self._generated)
        smallest = min(probability for _, probability in self._scores)
        chunk = Chunk(
            "".join(self._text),
            len(self._scores),
            smallest,
            usage=self._usage() if first else None,
            scores=tuple(self._scores),
        )
        self._text, self._scores = [], []
        return chunk

    def last_chunk(self, stop: StopCause) -> Chunk:
        """Return the rest of the answer with its stop cause and usage."""
        last_word = self._decoder.decode(b"", final=True)
        rest = self.take() or Chunk("", 0)
        return Chunk(rest.text + last_word, rest.tokens, rest.probability, stop, self._usage(), rest.scores)

    def _step(self) -> StopCause | None:
        self._take_slot()
        resident = len(self._context.mirrors[self._slot])
        if resident < len(self._run):
            return self._prefill(resident)
        if self._most_tokens == 0:  # a prompt that was only to be made resident
            return "max_tokens"
        return self._decode_answer(resident)

    def _usage(self) -> Usage:
        return Usage(
            prompt_tokens=len(self._prompt.run),
            cached_tokens=(self._cached or 0) + self._counts["restored"],
            prefill_tokens=self._counts["prefill"],
            generated_tokens=len(self._generated),
            drafted_tokens=self._counts["drafted"],
            accepted_draft_tokens=self._counts["accepted"],
            decode_steps=self._counts["steps"],
            restored_tokens=self._counts["restored"],
            first_token_ms=self._first_token_ms,
            total_ms=self._elapsed_ms(),
            compute_ms=self._computed_s * 1000,
            prefill_cost=self._context.rates.prefill_cost,
        )

    def _elapsed_ms(self) -> float:
        return (time.perf_counter() - self._received) * 1000

    def _take_slot(self) -> None:
        """Take the slot with the longest cached beginning of our tokens, unless we still hold one."""
        if self._slot >= 0 and self._pool.holds(self, self._slot):
            return
        if self._is_cached_prefix:
            self._slot = self._pool.prefix_slot(self, self._run)
            if self._cached is not None:  # earlier progress is lost and must not be counted twice
                self._cached, self._counts["prefill"], self._counts["restored"] = None, 0, 0
        else:
            run = self._run
            if self._generated:  # another answer took our sequence: what we wrote has to be read
                run = TokenRun([TokenSegment(b"", self._run.tokens), TokenSegment(b"", self._answer())])
            self._slot = self._pool.request_slot(self, run, len(run) - self._rows)
        mirror = self._context.mirrors[self._slot]
        mirror.name(self._run)
        if self._cached is None:
            self._cached = min(len(mirror), len(self._run))

    def _prefill(self, resident: int) -> StopCause | None:
        """Prefill a part of the prompt, from disk where possible; after the last part choose the first token."""
        context = self._context
        mirror = context.mirrors[self._slot]
        restored = self._restore(resident)
        if restored:
            mirror.name(self._run)
            self._counts["restored"] += restored
            return None
        if len(mirror) < resident:  # a block that could not be loaded cost the cells that it was to replace
            resident = len(mirror)
            self._cached = min(self._cached or 0, resident)
        resident = self._align_to_tile(resident)
        if self._most_tokens and not self._generated:  # all rows come of one decode
            resident = context.truncate(self._slot, min(resident, len(self._run) - self._rows))
        is_background = self._request.priority >= BACKGROUND_PRIORITY and not self._is_idle
        n_past = context.attended(self._slot)
        limit = context.rates.chunk_tokens(n_past, context.ubatch_tokens, is_background=is_background)
        if self._request.priority >= BACKGROUND_PRIORITY and not is_background and context.can_abort:
            limit = context.ubatch_tokens  # a key that comes after all waits for one node of its graph
        batch = self._run.tokens[resident : self._batch_end(resident, limit)]
        is_last = resident + len(batch) == len(self._run) and self._most_tokens > 0 and not self._generated
        self._pool.ensure_free(len(batch), self._slot)
        outcome = self._context.decode(self._slot, batch, outputs=self._rows * is_last, is_background=is_background)
        self._counts["prefill"] += len(mirror) - resident
        mirror.name(self._run)
        if outcome == "aborted" or len(mirror) < len(self._run):
            return None
        if not self._is_cached_prefix:
            self._pool.promote(self._slot, self._run)
        return self._choose_first() if is_last else None

    @property
    def _rows(self) -> int:
        """How many of the prompt's last tokens have to be decoded at once to choose the first token of the answer."""
        return len(self._last_word.tokens) + 1 if self._last_word else 1

    def _batch_end(self, resident: int, limit: int) -> int:
        """Return up to where to read next; the rows that are chosen from stay together."""
        size = len(self._run)
        end = resident + fair_share(size - resident, limit)
        first_row = size - self._rows
        if not first_row < end < size:
            return end
        return first_row if resident < first_row else size

    def _align_to_tile(self, resident: int) -> int:
        """Drop so many cached tokens that the rest fills a tile, where that is quicker; return how many are left."""
        context = self._context
        missing = len(self._run) - resident
        if self._is_cached_prefix or not (
            context.has_tiles and context.can_truncate and context.rates.fills_tile(missing, resident)
        ):
            return resident
        kept = context.truncate(self._slot, len(self._run) - TILE_TOKENS)
        self._cached = min(self._cached or 0, kept)
        return kept

    def _restore(self, resident: int) -> int:
        """Take the next block of the cached prefix from disk; return by how many tokens the sequence grew."""
        block_cache = self._generation_context.block_cache
        if block_cache is None or resident >= self._run.stable_tokens:
            return 0
        cached_prefix = self._run.tokens[: self._run.stable_tokens]
        if self._blocks is None:
            self._blocks = block_cache.blocks(cached_prefix)
        return block_cache.restore(self._slot, cached_prefix, self._blocks)

    def _decode_answer(self, resident: int) -> StopCause | None:
        """Decode the last token with a draft, and choose tokens as long as the draft was right."""
        pending = self._answer()[resident - len(self._run) :]
        if not len(pending):  # the prompt was resident to its end: its last token gives the logits
            self._context.truncate(self._slot, len(self._run) - self._rows)
            return self._prefill(len(self._context.mirrors[self._slot]))
        if len(pending) > BATCH_TOKENS:  # the slot was lost during a long answer: prefill what was generated first
            self._pool.ensure_free(BATCH_TOKENS, self._slot)
            self._context.decode(self._slot, pending[:BATCH_TOKENS])
            return None
        n_past = self._context.attended(self._slot)
        draft = self._draft(n_past) if len(pending) == 1 else _NO_DRAFT
        self._pool.ensure_free(len(pending) + len(draft), self._slot)
        began = time.perf_counter()
        batch = np.concatenate([pending, draft]) if len(draft) else pending
        outcome = self._context.decode(self._slot, batch, outputs=len(draft) + 1)
        if outcome == "aborted":
            kept = min(len(self._context.mirrors[self._slot]), resident + len(pending) - 1)
            self._context.truncate(self._slot, max(kept, resident))
            return None
        self._counts["steps"] += 1
        if len(pending) == 1:
            self._length_policy.learn_cost(len(batch), time.perf_counter() - began, n_past)
        stop, accepted = self._choose_along(draft)
        if len(draft):
            self._learn(accepted if self._is_close else len(draft), accepted)
            self._length_policy.record_cost(n_past, decodes=int(self._is_close))
            # The last token of a close call is decoded again, alone.
            self._context.truncate(self._slot, resident + len(pending) + accepted - int(self._is_close))
        return stop

    def _choose_along(self, draft: Tokens) -> tuple[StopCause | None, int]:
        """Choose a token for each row as long as the draft foresaw it; return why to stop and how many it foresaw.

        A close call is left to a decode of that token alone: several rows round otherwise than one. Under a grammar
        the lead says nothing, because the tokens that it forbids stand among the logits.
        """
        self._is_close = False
        is_free = not self._request.sampling.grammar
        for row in range(len(draft) + 1):
            if len(draft) and is_free and margin(self._context.logits(row)) < CLOSE_LOGITS:
                self._is_close = True
                return None, row
            written = len(self._generated)
            stop = self._choose(row)
            is_foreseen = row < len(draft) and len(self._generated) > written and self._generated[-1] == draft[row]
            if stop is not None or not is_foreseen:
                return stop, row
        raise AssertionError("the row behind the draft predicts nothing")

    def _draft(self, n_past: int) -> Tokens:
        """Return a draft, as long as pays at this position."""
        request = self._request
        if (
            self._is_close
            or not request.speculate
            or request.sampling.temperature > 0
            or not self._context.can_truncate
        ):
            return _NO_DRAFT
        room = min(MAX_DRAFT_TOKENS, self._most_tokens - len(self._generated))
        length = self._length_policy.length(n_past, max(room, 0))
        if length:  # only a draft that pays is worth another document's request slot
            length = min(length, self._pool.spare(length + 1) - 1)
        if length <= 0:
            return _NO_DRAFT
        began = time.perf_counter()
        if self._drafter is None:
            self._drafter = self._make_drafter()
        draft = self._drafter.draft(self._last_tokens(), length)
        self._length_policy.record_cost(n_past, seconds=time.perf_counter() - began)
        return draft

    def _make_drafter(self) -> PromptLookupDrafter:
        """Make a drafter that searches the code being rewritten, the file at the cursor, then the cached prefix."""
        generation_context, stable = self._generation_context, self._run.stable_tokens
        texts = self._request.drafts or ("",)
        regions = [
            generation_context.cache.tokens(generation_context.vocabulary, text)[1] if text else _NO_DRAFT
            for text in texts
        ]
        return PromptLookupDrafter([*regions, self._run.tokens[stable:], self._run.tokens[:stable]])

    def _learn(self, drafted: int, accepted: int) -> None:
        self._length_policy.learn_outcome(drafted, accepted)
        if self._drafter is not None:
            self._drafter.accepted(drafted, accepted)
        self._counts["drafted"] += drafted
        self._counts["accepted"] += accepted

    def _last_tokens(self) -> Tokens:
        answer = np.array(self._generated[-_LOOKUP_TOKENS:], np.int32)
        missing = _LOOKUP_TOKENS - len(answer)
        return np.concatenate([self._run.tokens[-missing:], answer]) if missing else answer

    def _answer(self) -> Tokens:
        return self._written[: len(self._generated)]

    def _choose_first(self) -> StopCause | None:
        """Choose the first token, and with it the tokens in which the end of the prompt is written."""
        last_word, self._last_word = self._last_word, None
        if last_word is None:
            return self._choose()
        vocabulary = self._generation_context.vocabulary
        path = choose_path(vocabulary, last_word, self._context.logits, self._request.sampling, self._chooser.scratch)
        self._prior = path.probability
        if path.token is None:
            return self._choose()
        length = len(self._run) - len(last_word.tokens) + path.kept
        self._run = self._prompt.ending_in(last_word.tokens[: path.kept])
        self._context.truncate(self._slot, length)
        self._context.mirrors[self._slot].name(self._run)
        self._first_token_ms = self._elapsed_ms()
        return self._take(path.token, 1.0, vocabulary.piece(path.token)[path.typed :])

    def _choose(self, row: int = -1) -> StopCause | None:
        chosen = self._chooser.choose(self._context, row)
        if not self._generated:
            self._first_token_ms = self._elapsed_ms()
        if chosen is None:
            return "end"
        token, probability = chosen
        vocabulary = self._generation_context.vocabulary
        if vocabulary.ends_generation(token):
            return "end" if token not in self._stops else "stop_token"
        if token in self._stops or vocabulary.is_special(token):
            return "stop_token"
        return self._take(token, probability, vocabulary.piece(token))

    def _take(self, token: int, probability: float, piece: bytes) -> StopCause | None:
        """Write a token down, and of its bytes those that are part of the answer."""
        self._written[len(self._generated)] = token
        self._generated.append(token)
        text = self._decoder.decode(piece)
        self._text.append(text)
        self._scores.append((len(text), probability * self._prior))
        self._prior = 1.0
        return "max_tokens" if len(self._generated) >= self._most_tokens else None
