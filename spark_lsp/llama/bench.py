"""The loaded model with its context, as the scheduler's thread uses it: load, warm up, answer, give back.

Everything here but ``abort_flag`` and the two plain values runs on that one thread.
"""

import logging
import time

from spark_lsp.engine.base import Infill, ModelInfo
from spark_lsp.errors import ModelUnusable
from spark_lsp.llama.context import AbortFlag, Context, open_context
from spark_lsp.llama.fit import Fit, Wanted, available_bytes, compute_threads, fit_context
from spark_lsp.llama.generate import Generation
from spark_lsp.llama.model import KV_BYTES, GgufModel, TokenCache
from spark_lsp.llama.native import BufferSizes, L, quiet
from spark_lsp.llama.probe import describe
from spark_lsp.llama.threads import CoreShare
from spark_lsp.llama.wire import EngineLaunch

_log = logging.getLogger("spark_lsp.llama")


class Bench:
    """A model that is loaded on first need. ``info`` and ``device_bytes`` may be read from anywhere."""

    def __init__(self, launch: EngineLaunch, tokens: TokenCache) -> None:
        self._launch = launch
        self._tokens = tokens
        self._model: GgufModel | None = None
        self._context: Context | None = None
        self.info: ModelInfo | None = None
        self.device_bytes = 0

    def abort_flag(self) -> AbortFlag | None:
        """Return the flag that stops a running decode; None while no model is loaded."""
        context = self._context
        return context.abort if context is not None else None

    def speeds(self) -> tuple[float, float]:
        """Return prefill and decode rates in tokens per second; 0.0 where nothing is known."""
        context = self._context
        if context is None:
            return 0.0, 0.0
        return context.rates.prefill_tokens_per_s, context.rates.decode_tokens_per_s

    def resident_tokens(self) -> int:
        """Return how many tokens the cache holds."""
        context = self._context
        return len(context.mirror) if context is not None else 0

    def load(self) -> ModelInfo:
        """Load model and context unless they are, warm up, and describe them.

        Raises:
            ModelMissing, ModelUnusable: the model cannot be used.
        """
        if self.info is not None:
            return self.info
        began = time.perf_counter()
        quiet()
        BufferSizes.reset()
        on_gpu = self._launch.gpu_layers != 0 and bool(L.llama_supports_gpu_offload())
        model, context, notes = self._open(on_gpu=on_gpu)
        context.warm_up()
        self._model, self._context = model, context
        self.device_bytes = BufferSizes.device_bytes
        self.info = describe(model, context.capacity, notes)
        _log.info("loaded %s in %.0f ms", model.path, (time.perf_counter() - began) * 1000)
        return self.info

    def unload(self) -> None:
        """Give the memory back. Idempotent; the next request loads again."""
        context, self._context = self._context, None
        model, self._model = self._model, None
        self.info = None
        self.device_bytes = 0
        if context is not None:
            context.close()
        if model is not None:
            model.close()

    def generation(self, request: Infill, received: float) -> Generation:
        """Begin an answer.

        Raises:
            ModelError, EngineFailed: the model cannot be loaded, or the request cannot be answered.
        """
        self.load()
        assert self._model is not None, "loaded"
        assert self._context is not None, "loaded"
        return Generation(self._context, self._model.vocabulary, self._tokens, request, received)

    def _open(self, *, on_gpu: bool) -> tuple[GgufModel, Context, tuple[str, ...]]:
        """Open model and context; a model that its GPU cannot hold runs on the processor instead."""
        try:
            return self._open_on(on_gpu=on_gpu)
        except ModelUnusable:
            if not on_gpu:
                raise
        model, context, notes = self._open_on(on_gpu=False)
        return model, context, (*notes, "The model runs on the processor because the GPU has too little memory.")

    def _open_on(self, *, on_gpu: bool) -> tuple[GgufModel, Context, tuple[str, ...]]:
        layers = self._launch.gpu_layers if on_gpu else 0
        model = GgufModel(self._launch.model_path, gpu_layers=layers, vocab_only=False)
        try:
            context, notes = self._open_context(model, on_gpu=on_gpu)
        except ModelUnusable:
            model.close()
            raise
        return model, context, notes

    def _open_context(self, model: GgufModel, *, on_gpu: bool) -> tuple[Context, tuple[str, ...]]:
        kv_type = self._launch.kv_type
        if kv_type == "auto":
            kv_type = "q8_0" if on_gpu else "f16"  # on the processor only f16 has fast attention
        fit: Fit = fit_context(
            Wanted(
                asked_tokens=self._launch.context_tokens,
                trained_tokens=model.trained_context_tokens,
                on_gpu=on_gpu,
                weights_bytes=model.size_bytes,
                kv_bytes_per_token=model.kv_values_per_token() * KV_BYTES[kv_type],
                memory_limit_bytes=self._launch.memory_limit_bytes,
                available_bytes=available_bytes(),
            )
        )
        context, notes = open_context(
            model,
            cells=fit.context_tokens,
            share=CoreShare(compute_threads(self._launch.threads), fixed=self._launch.threads > 0),
            on_gpu=on_gpu,
            kv_type=kv_type,
        )
        return context, (*fit.notes, *notes)
