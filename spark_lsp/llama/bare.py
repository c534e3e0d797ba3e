"""The yardstick: llama.cpp's decode and an argmax, in a loop with nothing around it. For ``bench`` only.

Same library, same parameters, same threads as the engine, so that the ratio of the two shows what the engine costs.
"""

import time

import msgspec
import numpy as np

from spark_lsp.llama.context import Context
from spark_lsp.llama.fit import BATCH_TOKENS, plan_of
from spark_lsp.llama.model import GgufModel
from spark_lsp.llama.native import L, quiet
from spark_lsp.llama.opening import shape_of
from spark_lsp.llama.threads import CoreShare

_SEED = 7


class BareSpeed(msgspec.Struct, frozen=True):
    """Tokens per second of a bare loop."""

    prefill_tokens_per_s: float
    decode_tokens_per_s: float


def bare_speed(path: str, *, prompt_tokens: int, decode_tokens: int, threads: int) -> BareSpeed:
    """Read a prompt of random tokens and write greedily behind it.

    Raises:
        ModelMissing, ModelUnusable: the model cannot be used.
    """
    quiet()
    model = GgufModel(path, gpu_layers=-1, vocab_only=False)
    on_gpu = bool(L.llama_supports_gpu_offload())
    tokens = prompt_tokens + decode_tokens + BATCH_TOKENS
    layers = model.number("block_count", 1) if on_gpu else 0
    plan = plan_of(shape_of(model), gpu_layers=layers, kv_type="q8_0" if on_gpu else "f16", prompt_tokens=tokens)
    context = Context(model, plan, CoreShare(threads, fixed=True))
    context.warm_up()
    prompt = np.random.default_rng(_SEED).integers(0, model.vocabulary.size, prompt_tokens).astype(np.int32)
    began = time.perf_counter()
    for start in range(0, prompt_tokens, BATCH_TOKENS):
        context.decode(0, prompt[start : start + BATCH_TOKENS], outputs=int(start + BATCH_TOKENS >= prompt_tokens))
    read_s = time.perf_counter() - began
    batch = L.llama_batch_init(1, 0, 1)
    batch.n_tokens, batch.n_seq_id[0], batch.seq_id[0][0], batch.logits[0] = 1, 1, 0, 1
    token, size = int(context.logits().argmax()), model.vocabulary.size
    began = time.perf_counter()
    for step in range(decode_tokens):
        batch.token[0], batch.pos[0] = token, prompt_tokens + step
        if L.llama_decode(context.handle, batch) != 0:
            break
        token = int(np.ctypeslib.as_array(L.llama_get_logits_ith(context.handle, -1), (size,)).argmax())
    written_s = time.perf_counter() - began
    L.llama_batch_free(batch)
    return BareSpeed(prompt_tokens / read_s, decode_tokens / written_s)
