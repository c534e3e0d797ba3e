"""Computes the same logits with and without llama.cpp's fast matrix kernels, to see whether this build gets them right.

A broken build ends the process that does this (docs/decisions/amx.md). Never runs in a process that serves anyone.
"""

from typing import Final

import numpy as np

from spark_lsp.llama.kv.llama_context import Context
from spark_lsp.llama.loading.fit import fallback_steps
from spark_lsp.llama.loading.gguf_model import GgufModel
from spark_lsp.llama.loading.load import shape_of
from spark_lsp.llama.loading.memory import FreeMemory, Requested, available_bytes
from spark_lsp.llama.loading.threads import ThreadBudget

MIN_AGREEMENT: Final = 0.99
"""Least correlation of the logits with and without the kernels. Rounding leaves 0.999 and more with 8-bit weights;
a wrong tile configuration leaves noise."""
CHECK_TOKENS: Final = 64
"""Enough rows for the kernels that multiply matrices; single tokens go other ways."""


def agreement(model_path: str) -> float:
    """Return the correlation of a model's logits with and without the kernels. A broken build ends this process.

    Raises:
        ModelMissing, ModelUnusable: the model cannot be used.
    """
    fast, plain = (_logits(model_path, extra_buffers=extra) for extra in (True, False))
    return float(np.corrcoef(fast, plain)[0, 1])


def _logits(model_path: str, *, extra_buffers: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:

    model = GgufModel(model_path, gpu_layers=0, vocab_only=False, extra_buffers=extra_buffers)
    try:
        asked = Requested(512, 0, "auto", 0)
        plan = fallback_steps(shape_of(model), FreeMemory(available_bytes()), asked)[0].plan
        context = Context(model, plan, ThreadBudget(1, fixed=True))
        try:
            tokens = np.arange(CHECK_TOKENS, dtype=np.int32) % model.vocabulary.size
            context.decode(1, tokens, outputs=1)
            return context.logits().astype(np.float64)
        finally:
            context.close()
    finally:
        model.close()
