"""The slot that holds one answer's prompt: takes it, restores what the disk has, prefills the rest part by part.

Another answer may take the slot between two steps. Never chooses a token.
"""

from spark_lsp.engine.base import BACKGROUND_PRIORITY
from spark_lsp.llama.generation_context import GenerationContext
from spark_lsp.llama.healing import LastWord
from spark_lsp.llama.kv.block_cache import SavedBlock
from spark_lsp.llama.kv.cells import KvMirror, TokenRun, Tokens, TokenSegment
from spark_lsp.llama.kv.checkpoints import MIN_TAIL_STEP_TOKENS, SPACING_TOKENS, TAIL_TOKENS
from spark_lsp.llama.kv.speed import TILE_TOKENS
from spark_lsp.llama.prompt_tokens import PromptTokens


def fair_share(tokens: int, limit: int) -> int:
    """Return how many tokens to prefill at once, so that no batch of less than a tile is left over."""
    if limit < tokens < limit + TILE_TOKENS and limit > TILE_TOKENS:
        return -(-tokens // 2)
    return min(tokens, limit)


class PromptSlot:
    """A prompt and the slot that it is prefilled in; the slot's holder, to the pool.

    ``is_cached_prefix``: the prompt is stable and is prefilled for others.
    """

    def __init__(
        self,
        generation_context: GenerationContext,
        prompt: PromptTokens,
        *,
        priority: int,
        is_cached_prefix: bool,
    ) -> None:
        self._pool, self._context = generation_context.pool, generation_context.pool.context
        self._block_cache = generation_context.block_cache
        self._is_background = priority >= BACKGROUND_PRIORITY
        self.is_cached_prefix = is_cached_prefix
        self.prompt = prompt
        self.run = prompt.run
        """The prompt's tokens, the last word in those that were chosen for it."""
        self.slot = -1
        """Its sequence in the KV cache; -1 before the first step."""
        self._last_word = prompt.last_word
        """The end of the prompt, until it is known in which tokens it is written."""
        self._blocks: tuple[SavedBlock, ...] | None = None
        self._cached: int | None = None
        self._restored = 0
        self.prefilled_tokens = 0

    @property
    def mirror(self) -> KvMirror:
        """What the slot holds."""
        return self._context.mirrors[self.slot]

    @property
    def is_held(self) -> bool:
        """Whether the slot is still this prompt's own."""
        return self.slot >= 0 and self._pool.holds(self, self.slot)

    @property
    def cached_tokens(self) -> int:
        """How many tokens did not have to be prefilled, those from disk included."""
        return (self._cached or 0) + self._restored

    @property
    def restored_tokens(self) -> int:
        """How many tokens came from disk."""
        return self._restored

    def release(self) -> None:
        """Give the slot up; its tokens stay until their cells are needed. Idempotent."""
        self._pool.leave(self)

    def take(self, answer: Tokens) -> None:
        """Take the slot with the longest cached beginning of the prompt and its answer, unless one is still held."""
        if self.is_held:
            return
        if self.is_cached_prefix:
            self.slot = self._pool.prefix_slot(self, self.run)
            if self._cached is not None:  # earlier progress is lost and must not be counted twice
                self._cached, self.prefilled_tokens, self._restored = None, 0, 0
        else:
            run = self.run
            if len(answer):  # another answer took our slot: what was generated has to be prefilled
                run = TokenRun([TokenSegment(b"", self.run.tokens), TokenSegment(b"", answer)])
            self.slot = self._pool.request_slot(self, run, len(run) - self._rows)
        self.mirror.name(self.run)
        if self._cached is None:
            self._cached = min(len(self.mirror), len(self.run))

    def prefill(self, *, chooses: bool, is_idle: bool) -> bool:
        """Prefill a part of the prompt, from disk where possible; return whether the rows to choose from are there.

        ``chooses``: the first token of the answer is chosen behind the prompt, so its last rows come of one decode.
        """
        context, mirror = self._context, self.mirror
        resident = len(mirror)
        restored = self._restore(resident)
        if restored:
            mirror.name(self.run)
            self._restored += restored
            return False
        if len(mirror) < resident:  # a block that could not be loaded cost the cells that it was to replace
            resident = len(mirror)
            self._cached = min(self._cached or 0, resident)
        resident = self._align_to_tile(resident)
        if chooses:
            resident = context.truncate(self.slot, min(resident, len(self.run) - self._rows))
        is_background = self._is_background and not is_idle
        limit = context.rates.chunk_tokens(
            context.attended(self.slot), context.ubatch_tokens, is_background=is_background
        )
        if self._is_background and not is_background and context.can_abort:
            limit = context.ubatch_tokens  # a key that comes after all waits for one node of its graph
        self._context.keep_checkpoint(self.slot, is_passing=not self._is_checkpoint(resident))
        batch = self.run.tokens[resident : self._batch_end(resident, limit)]
        is_last = resident + len(batch) == len(self.run) and chooses
        self._pool.ensure_free(len(batch), self.slot)
        outcome = context.decode(self.slot, batch, outputs=self._rows * is_last, is_background=is_background)
        self.prefilled_tokens += len(mirror) - resident
        mirror.name(self.run)
        if outcome == "aborted" or len(mirror) < len(self.run):
            return False
        if self.run.stable_tokens == len(self.run):
            context.keep_checkpoint(self.slot)
        if not self.is_cached_prefix:
            self._pool.promote(self.slot, self.run)
        return is_last

    def take_missing(self) -> Tokens:
        """Return the prompt's tokens that the slot does not hold, to be prefilled with what follows them."""
        missing = self.run.tokens[len(self.mirror) :]
        self.prefilled_tokens += len(missing)
        return missing

    def drop_rows(self) -> None:
        """Drop the last rows of a prompt that was cached to its end: they are decoded again for their logits."""
        self._context.truncate(self.slot, len(self.run) - self._rows)

    def take_last_word(self) -> LastWord | None:
        """Return the last word, whose tokens are chosen now; None once that is done."""
        last_word, self._last_word = self._last_word, None
        return last_word

    def end_in(self, last_word: LastWord, kept: int) -> None:
        """Write the last word in the first ``kept`` of the tokens in which it was prefilled."""
        length = len(self.run) - len(last_word.tokens) + kept
        self.run = self.prompt.ending_in(last_word.tokens[:kept])
        self._context.truncate(self.slot, length)
        self.mirror.name(self.run)

    @property
    def _rows(self) -> int:
        """How many of the prompt's last tokens have to be decoded at once to choose the first token of the answer."""
        return len(self._last_word.tokens) + 1 if self._last_word else 1

    def _batch_end(self, resident: int, limit: int) -> int:
        """Return up to where to prefill next; the rows that are chosen from stay together."""
        size = len(self.run)
        end = resident + fair_share(size - resident, limit)
        if not self._context.can_truncate:
            end = min(end, self._next_checkpoint(resident))
        first_row = size - self._rows
        if not first_row < end < size:
            return end
        return first_row if resident < first_row else size

    def _is_checkpoint(self, position: int) -> bool:
        """Whether a checkpoint is worth keeping here: prompts come back to such a place."""
        return position in {self.run.stable_tokens, self._tail} or position % SPACING_TOKENS == 0

    def _next_checkpoint(self, resident: int) -> int:
        """Return the next place at which a batch has to end for a checkpoint, or the prompt's end."""
        places = [(resident // SPACING_TOKENS + 1) * SPACING_TOKENS, len(self.run)]
        if self.run.stable_tokens > resident:
            places.append(self.run.stable_tokens)
        if self._tail - resident >= MIN_TAIL_STEP_TOKENS:
            places.append(self._tail)
        return min(places)

    @property
    def _tail(self) -> int:
        """Where the last checkpoint of the prompt is: before the tokens that typing changes."""
        return len(self.run) - max(self._rows, TAIL_TOKENS)

    def _align_to_tile(self, resident: int) -> int:
        """Drop so many cached tokens that the rest fills a tile, where that is quicker; return how many are left."""
        context = self._context
        missing = len(self.run) - resident
        if self.is_cached_prefix or not (
            context.has_tiles and context.can_truncate and context.rates.fills_tile(missing, resident)
        ):
            return resident
        kept = context.truncate(self.slot, len(self.run) - TILE_TOKENS)
        self._cached = min(self._cached or 0, kept)
        return kept

    def _restore(self, resident: int) -> int:
        """Take the next block of the cached prefix from disk; return by how many tokens the slot grew."""
        if self._block_cache is None or resident >= self.run.stable_tokens:
            return 0
        cached_prefix = self.run.tokens[: self.run.stable_tokens]
        if self._blocks is None:
            self._blocks = self._block_cache.blocks(cached_prefix)
        return self._block_cache.restore(self.slot, cached_prefix, self._blocks)
