"""The loaded model with its context, as the scheduler's thread uses it: load, warm up, answer, give back.

Everything here but ``abort_flag`` and the two plain values runs on that one thread.
"""

import logging
import time
from pathlib import Path

from spark_lsp.engine.base import Infill, ModelInfo, ReadCost
from spark_lsp.llama.context import AbortFlag, Context
from spark_lsp.llama.disk import ChunkStore, fingerprint_of
from spark_lsp.llama.fit import ContextPlan, compute_threads
from spark_lsp.llama.generate import Desk, Generation
from spark_lsp.llama.model import GgufModel, TokenCache
from spark_lsp.llama.native import BufferSizes, quiet
from spark_lsp.llama.opening import open_model
from spark_lsp.llama.payoff import Payoff
from spark_lsp.llama.pool import Pool
from spark_lsp.llama.probe import describe
from spark_lsp.llama.shelf import Shelf
from spark_lsp.llama.threads import CoreShare
from spark_lsp.llama.wire import EngineLaunch

_log = logging.getLogger("spark_lsp.llama")


class Bench:
    """A model that is loaded on first need. ``info`` and ``device_bytes`` may be read from anywhere."""

    def __init__(self, launch: EngineLaunch, tokens: TokenCache) -> None:
        self._launch = launch
        self._tokens = tokens
        self._model: GgufModel | None = None
        self._desk: Desk | None = None
        self._abort: AbortFlag | None = None
        self.info: ModelInfo | None = None
        self.device_bytes = 0

    def abort_flag(self) -> AbortFlag | None:
        """Return the flag that stops a running decode; None while no model is loaded."""
        return self._abort

    def speeds(self) -> tuple[float, float]:
        """Return prefill and decode rates in tokens per second; 0.0 where nothing is known."""
        desk = self._desk
        if desk is None:
            return 0.0, 0.0
        rates = desk.pool.context.rates
        return rates.prefill_tokens_per_s, rates.decode_tokens_per_s

    def read_cost(self) -> ReadCost:
        """Return what reading a token costs, as far as that is known."""
        desk = self._desk
        return desk.pool.context.rates.read_cost if desk is not None else ReadCost()

    def resident_tokens(self) -> int:
        """Return how many cells of the cache hold a token."""
        desk = self._desk
        return desk.pool.context.cells.capacity - desk.pool.context.cells.free if desk is not None else 0

    def tidy(self) -> bool:
        """Save a chunk of a trunk to disk; whether there may be more of them."""
        return self._desk is not None and self._desk.shelf is not None and self._desk.shelf.save_next()

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
        self._model, self._desk, self._abort = model, self._desk_of(model, context), context.abort
        self.device_bytes = BufferSizes.device_bytes
        self.info = describe(model, opened.plan.prompt_tokens, opened.notes)
        _log.info("loaded %s in %.0f ms", model.path, (time.perf_counter() - began) * 1000)
        return self.info

    def unload(self) -> None:
        """Give the memory back. Idempotent; the next request loads again."""
        desk, self._desk = self._desk, None
        model, self._model = self._model, None
        self._abort = None
        self.info = None
        self.device_bytes = 0
        if desk is not None:
            if desk.shelf is not None:
                desk.shelf.close(save=True)
            desk.pool.context.close()
        if model is not None:
            model.close()

    def generation(self, request: Infill, received: float) -> Generation:
        """Begin an answer.

        Raises:
            ModelError, EngineFailed: the model cannot be loaded, or the request cannot be answered.
        """
        self.load()
        assert self._desk is not None, "loaded"
        return Generation(self._desk, request, received)

    def _desk_of(self, model: GgufModel, context: Context) -> Desk:
        pool = Pool(context)
        shelf = self._shelf_of(model, pool)
        if shelf is not None:
            pool.before_eviction = shelf.save_all
        return Desk(pool, model.vocabulary, self._tokens, Payoff(), Payoff(), shelf)

    def _shelf_of(self, model: GgufModel, pool: Pool) -> Shelf | None:
        """Open the trunks on disk, where they may lie there and the model's state can be taken in parts."""
        if not self._launch.cache_folder or not self._launch.cache_bytes or not pool.context.can_truncate:
            return None
        fingerprint = fingerprint_of(pool.context.setup(model))
        return Shelf(pool, ChunkStore(Path(self._launch.cache_folder), fingerprint, self._launch.cache_bytes))

    def _make(self, model: GgufModel, plan: ContextPlan) -> Context:
        """Create a context and warm it up: a driver that ends the process does so at the first decode."""
        fixed = self._launch.threads > 0
        context = Context(model, plan, CoreShare(compute_threads(self._launch.threads), fixed=fixed))
        context.warm_up()
        return context
