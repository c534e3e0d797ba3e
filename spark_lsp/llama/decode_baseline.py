"""The baseline: llama.cpp's decode and an argmax, with nothing around them. For ``runtime`` only.

Same library, same parameters, same threads and the same cells as the engine, so that the ratio of the two shows what
the engine costs. Everything belongs to one thread.
"""

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from spark_lsp.engine.base import PromptPart
from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.errors import EngineFailed
from spark_lsp.llama.kv.block_cache import BlockCache
from spark_lsp.llama.kv.block_store import BlockStore, fingerprint_of
from spark_lsp.llama.kv.cells import Tokens
from spark_lsp.llama.kv.decode_batch import DecodeBatch
from spark_lsp.llama.kv.llama_context import Context
from spark_lsp.llama.kv.sequences import REQUEST_SLOTS, SlotPool
from spark_lsp.llama.loading.fit import ContextPlan, compute_threads
from spark_lsp.llama.loading.gguf_model import KV_BYTES, GgufModel, TokenCache
from spark_lsp.llama.loading.load import open_model, shape_of
from spark_lsp.llama.loading.memory_estimate import compute_bytes, native_layers
from spark_lsp.llama.loading.native import L, quiet
from spark_lsp.llama.loading.threads import ThreadBudget
from spark_lsp.llama.prompt_tokens import prompt_tokens

_SEED: Final = 7
_SEQUENCE: Final = REQUEST_SLOTS[0]


@dataclass(frozen=True, slots=True)
class BaselineSizes:
    """What a model takes of the machine's own memory, in bytes, and for how many cells."""

    cells: int
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int


class DecodeBaseline:
    """A model with a cached prompt, after which it prefills and decodes as fast as llama.cpp can."""

    def __init__(self, launch: EngineLaunch) -> None:
        """Open the model as an engine with this launch does.

        Raises:
            ModelMissing, ModelUnusable: the model cannot be used.
        """
        quiet()
        self._launch = launch
        opened = open_model(launch, self._make)
        self._model, self._context, self._plan = opened.model, opened.context, opened.plan
        self._batch = DecodeBatch()
        self._random = np.random.default_rng(_SEED)

    def sizes(self) -> BaselineSizes:
        """Say what the engine's memory is made of."""
        plan, shape = self._plan, shape_of(self._model)
        layers = native_layers(plan, shape.layers) if plan.on_gpu else 0
        in_ram = 1 - plan.gpu_layers / max(shape.layers, 1)
        computed = compute_bytes(self._launch.model_path, plan, layers)
        return BaselineSizes(
            cells=plan.cells,
            weights_bytes=int(shape.weights_bytes * in_ram),
            kv_bytes=int(shape.kv_values_per_token * KV_BYTES[plan.kv_type] * plan.cells * in_ram),
            compute_bytes=computed[1] if computed is not None else 0,
        )

    def tokenize(self, text: str) -> list[int]:
        """Return the tokens of plain text."""
        tokens: list[int] = self._model.vocabulary.tokenize(text).tolist()
        return tokens

    def hold(self, prompt: tuple[PromptPart, ...]) -> int:
        """Prefill a prompt, with the engine's own blocks on disk where there are any; return its tokens.

        Raises:
            ModelNoFim, EngineFailed: the prompt cannot be read.
        """
        run = prompt_tokens(self._model.vocabulary, TokenCache(), prompt).run
        self._restore(run.tokens)
        mirror = self._context.mirrors[_SEQUENCE]
        while len(mirror) < len(run):
            self._context.decode(_SEQUENCE, run.tokens[len(mirror) : len(mirror) + self._context.batch_tokens])
        self._context.keep_checkpoint(_SEQUENCE)
        return len(mirror)

    def prefill_ms(self, count: int) -> float:
        """Return the milliseconds to prefill ``count`` tokens after the prompt and choose the next one."""
        tokens = self._random.integers(0, self._model.vocabulary.size, count).astype(np.int32)
        place = self._place
        began = time.perf_counter()
        most = self._context.batch_tokens
        for start in range(0, count, most):
            part = tokens[start : start + most]
            self._decode(part, place + start, outputs=int(start + most >= count))
        self._argmax()
        spent_ms = (time.perf_counter() - began) * 1000
        self._forget()
        return spent_ms

    def decode_ms(self, count: int) -> float:
        """Return the milliseconds to decode ``count`` tokens after the prompt, one by one."""
        place = self._place
        self._decode(np.zeros(1, np.int32), place, outputs=1)
        token = self._argmax()
        batch = np.zeros(1, np.int32)
        began = time.perf_counter()
        for step in range(1, count + 1):
            batch[0] = token
            self._decode(batch, place + step, outputs=1)
            token = self._argmax()
        spent_ms = (time.perf_counter() - began) * 1000
        self._forget()
        return spent_ms

    def close(self) -> None:
        """Give the memory back."""
        self._context.close()
        self._model.close()

    @property
    def _place(self) -> int:
        return len(self._context.mirrors[_SEQUENCE])

    def _make(self, model: GgufModel, plan: ContextPlan) -> Context:
        threads = compute_threads(self._launch.threads)
        context = Context(model, plan, ThreadBudget(threads, fixed=True))
        context.warm_up()
        return context

    def _restore(self, tokens: Tokens) -> None:
        launch, context = self._launch, self._context
        if not (launch.cache_folder and launch.cache_bytes):
            return
        fingerprint = fingerprint_of(context.setup(self._model))
        block_cache = BlockCache(
            SlotPool(context), BlockStore(Path(launch.cache_folder), fingerprint, launch.cache_bytes)
        )
        blocks = block_cache.blocks(tokens)
        while block_cache.restore(_SEQUENCE, tokens, blocks):
            pass
        block_cache.close(save=False)

    def _decode(self, tokens: Tokens, start: int, *, outputs: int) -> None:
        self._batch.fill(_SEQUENCE, tokens, start, outputs)
        code: int = L.llama_decode(self._context.handle, self._batch.native)
        if code:
            raise EngineFailed(f"The baseline loop failed with code {code}.")

    def _argmax(self) -> int:
        pointer: Any = L.llama_get_logits_ith(self._context.handle, -1)
        address = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float))
        return int(np.ctypeslib.as_array(address, (self._model.vocabulary.size,)).argmax())

    def _forget(self) -> None:
        self._context.drop_unmirrored(_SEQUENCE)
