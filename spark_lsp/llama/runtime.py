"""The loaded model with its context, as the scheduler's thread uses it: load, warm up, generate, unload.

Everything here but ``abort_flag`` and the two plain values runs on that one thread.
"""

import logging
import time
from pathlib import Path
from threading import Lock
from typing import Final

from spark_lsp.engine.base import CompletionRequest, ModelInfo, PrefillCost
from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.errors import ModelUnusable
from spark_lsp.llama.generation import Generation
from spark_lsp.llama.generation_context import GenerationContext
from spark_lsp.llama.kv.abort_flag import AbortFlag
from spark_lsp.llama.kv.block_cache import BlockCache
from spark_lsp.llama.kv.block_store import BlockStore, fingerprint_of
from spark_lsp.llama.kv.llama_context import Context
from spark_lsp.llama.kv.sequences import SlotPool
from spark_lsp.llama.loading.cache_shape import kv_values_per_token
from spark_lsp.llama.loading.describe import describe
from spark_lsp.llama.loading.fit import ContextPlan, compute_threads, sized
from spark_lsp.llama.loading.gguf_model import KV_BYTES, GgufModel, TokenCache, Vocabulary
from spark_lsp.llama.loading.load import open_model
from spark_lsp.llama.loading.memory import available_bytes
from spark_lsp.llama.loading.native import BufferSizes, give_back, quiet
from spark_lsp.llama.loading.threads import ThreadBudget
from spark_lsp.llama.prompt_tokens import has_cached_prefix, prompt_tokens
from spark_lsp.llama.speculative.length_policy import LengthPolicy, rewrite_length_policy

CROWDED_TOKENS: Final = 8192
"""A short prompt pays little for fewer foreign tokens than this (``docs/internals/engine-measurements.md``)."""
SIDE_TOKENS: Final = 8192
PLENTY: Final = 8  # bytes that must be free for each byte of the second context

_log = logging.getLogger("spark_lsp.llama")


class ModelRuntime:
    """A model that is loaded on first need. ``info`` and ``device_bytes`` may be read from anywhere."""

    def __init__(self, launch: EngineLaunch, tokens: TokenCache) -> None:
        self._launch = launch
        self._tokens = tokens
        self._model: GgufModel | None = None
        self._model_lock = Lock()
        """Held while another thread reads the vocabulary and while the model is taken away."""
        self._generation_context: GenerationContext | None = None
        self._plan: ContextPlan | None = None
        self._side_context: GenerationContext | None = None
        """For short prompts without a workspace, which would pay for each cell of prefixes that they are not about."""
        self._abort: AbortFlag | None = None
        self.info: ModelInfo | None = None
        self.device_bytes = 0

    def abort_flag(self) -> AbortFlag | None:
        """Return the flag that stops a running decode; None while no model is loaded."""
        return self._abort

    def count_tokens(self, text: str) -> int | None:
        """Count the tokens of a text, from any thread and beside a decode; None while no model is loaded."""
        with self._model_lock:
            return len(self._tokens.tokens(self._model.vocabulary, text)[1]) if self._model is not None else None

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The loaded model's tokens; None while there is none."""
        return self._model.vocabulary if self._model else None

    def speeds(self) -> tuple[float, float]:
        """Return prefill and decode rates in tokens per second; 0.0 where nothing is known."""
        generation_context = self._generation_context
        if generation_context is None:
            return 0.0, 0.0
        rates = generation_context.pool.context.rates
        return rates.prefill_tokens_per_s, rates.decode_tokens_per_s

    def prefill_cost(self) -> PrefillCost:
        """Return the prefill cost of a token, zero before anything was measured."""
        generation_context = self._generation_context
        return generation_context.pool.context.rates.prefill_cost if generation_context is not None else PrefillCost()

    def resident_tokens(self) -> int:
        """Return how many cells of the cache hold a token."""
        generation_context = self._generation_context
        return (
            generation_context.pool.context.cells.capacity - generation_context.pool.context.cells.free
            if generation_context is not None
            else 0
        )

    def tidy(self) -> bool:
        """Save a chunk of a cached prefix to disk; whether there may be more of them."""
        return (
            self._generation_context is not None
            and self._generation_context.block_cache is not None
            and self._generation_context.block_cache.save_next()
        )

    def load(self) -> ModelInfo:
        """Load model and context unless they are, warm up, and describe them.

        Raises:
            ModelMissing, ModelUnusable: the model cannot be used.
        """
        if self.info is not None:
            return self.info
        began = time.perf_counter()
        quiet()
        opened = open_model(self._launch, self._make)
        model, context = opened.model, opened.context
        model.vocabulary.sort_by_bytes()
        self._model, self._generation_context, self._abort = (
            model,
            self._generation_context_of(model, context),
            context.abort,
        )
        self._plan = opened.plan
        self.device_bytes = BufferSizes.device_bytes
        self.info = describe(model, opened.plan.prompt_tokens, opened.notes)
        _log.info("loaded %s in %.0f ms", model.path, (time.perf_counter() - began) * 1000)
        return self.info

    def unload(self) -> None:
        """Give the memory back. Idempotent; the next request loads again."""
        generation_context, self._generation_context = self._generation_context, None
        side_context, self._side_context = self._side_context, None
        with self._model_lock:
            model, self._model = self._model, None
        self._abort = None
        self.info = None
        self.device_bytes = 0
        if generation_context is not None:
            if generation_context.block_cache is not None:
                generation_context.block_cache.close(save=True)
            generation_context.pool.context.close()
        if side_context is not None:
            side_context.pool.context.close()
        if model is not None:
            model.close()
            give_back()

    def generation(self, request: CompletionRequest, received: float) -> Generation:
        """Begin an answer.

        Raises:
            ModelError, EngineFailed: the model cannot be loaded, or the request cannot be answered.
        """
        self.load()
        assert self._generation_context is not None, "loaded"
        return Generation(self._side(request) or self._generation_context, request, received)

    def _side(self, request: CompletionRequest) -> GenerationContext | None:
        """Return the context for a short prompt without a workspace, while the main one holds many other tokens.

        It is made when it is first needed, if memory has plenty.
        """
        model, plan = self._model, self._plan
        if model is None or plan is None or has_cached_prefix(request) or self.resident_tokens() <= CROWDED_TOKENS:
            return None
        prompt = prompt_tokens(model.vocabulary, self._tokens, request.prompt).run
        side = sized(plan, min(SIDE_TOKENS, plan.prompt_tokens))
        if len(prompt) + request.max_tokens > side.prompt_tokens:
            return None
        if self._side_context is None:
            cache_bytes = side.cells * kv_values_per_token(model) * KV_BYTES[side.kv_type]
            if self._launch.memory_limit_bytes or cache_bytes * PLENTY > available_bytes():
                return None
            try:
                context = self._make(model, side)
            except ModelUnusable:
                return None
            self._side_context = GenerationContext(
                SlotPool(context), model.vocabulary, self._tokens, LengthPolicy(), rewrite_length_policy()
            )
        return self._side_context

    def _generation_context_of(self, model: GgufModel, context: Context) -> GenerationContext:
        pool = SlotPool(context, self._save_prefix)
        block_cache = self._block_cache_of(model, pool)
        return GenerationContext(
            pool, model.vocabulary, self._tokens, LengthPolicy(), rewrite_length_policy(), block_cache
        )

    def _save_prefix(self, slot: int, is_awaited: bool) -> None:
        """Save the blocks of a cached prefix to disk, where there is a block cache."""
        if self._generation_context is not None and self._generation_context.block_cache is not None:
            self._generation_context.block_cache.save_evicted(slot, is_awaited=is_awaited)

    def _block_cache_of(self, model: GgufModel, pool: SlotPool) -> BlockCache | None:
        """Open the cached prefixes on disk, where the user lets them be kept there."""
        if not self._launch.cache_folder or not self._launch.cache_bytes:
            return None
        fingerprint = fingerprint_of(pool.context.setup(model))
        return BlockCache(pool, BlockStore(Path(self._launch.cache_folder), fingerprint, self._launch.cache_bytes))

    def _make(self, model: GgufModel, plan: ContextPlan) -> Context:
        """Create a context and warm it up: a driver that ends the process does so at the first decode."""
        fixed = self._launch.threads > 0
        share = ThreadBudget(compute_threads(self._launch.threads), fixed=fixed)
        context = Context(model, plan, share, abort=self._abort)
        context.warm_up()
        return context
