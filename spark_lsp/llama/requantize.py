"""Writes a model's weights in the types that this processor has fast kernels for, measures them, and keeps the best.

Runs in a process of its own: it loads models one after another, and a damaged file may end it. Never touches the
original file. The measurements are rates of this machine and the loss on a text that the caller gives.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from spark_lsp.engine.wire.frames import Measured, Requantized, RequantizeOrder
from spark_lsp.errors import ModelUnusable
from spark_lsp.llama.kv.llama_context import OUTPUTS, Context
from spark_lsp.llama.loading.fit import compute_threads, fallback_steps
from spark_lsp.llama.loading.gguf_model import GgufModel, check_file
from spark_lsp.llama.loading.load import shape_of
from spark_lsp.llama.loading.memory import FreeMemory, Requested, available_bytes
from spark_lsp.llama.loading.native import L, last_errors, quiet
from spark_lsp.llama.loading.threads import ThreadBudget

FILE_TYPES: Final = {"q8_0": 7, "q4_0": 2}
"""Types with kernels that rearrange the weights for the processor -> llama.h, LLAMA_FTYPE_MOSTLY_*. Q8_0 loses next
to nothing of a 4-bit file and is larger; Q4_0 is as small as the original."""

MAX_LOSS: Final = 0.02
"""Most by which the nats a token of the check text may rise, as a share of the original's."""
MIN_SAME: Final = 0.95
"""Least share of positions in the check text at which the likeliest token stays the same."""
MIN_GAIN: Final = 0.1
"""Least share by which a key must become cheaper; measurements of one machine differ by half of that."""

KEY_PREFILL_TOKENS: Final = 128
"""What a key is taken to cost: a line with its surroundings is read, and a line is written."""
KEY_DECODE_TOKENS: Final = 10

_CONTEXT_TOKENS: Final = 2048
_PREFILL_TOKENS: Final = 256
_DECODE_TOKENS: Final = 12
_ROUNDS: Final = 2


def requantize(order: RequantizeOrder, progress: Callable[[str], None]) -> Requantized:
    """Write each candidate beside ``order.target``, measure all in turns, and keep the best there.

    Raises:
        ModelMissing, ModelUnusable: the original cannot be used, or a candidate cannot be written.
    """
    check_file(order.source)
    quiet()
    original, target = Path(order.source), Path(order.target)
    candidates = {name: target.with_name(f"{target.name}.{name}.part") for name in FILE_TYPES}
    try:
        for name, path in candidates.items():
            progress(f"writing {name}")
            _write(original, path, FILE_TYPES[name])
        files = {"original": original, **candidates}
        measured = {name: Measured(name, path.stat().st_size) for name, path in files.items()}
        for number in range(_ROUNDS):
            for name, path in files.items():
                progress(f"measuring {name}, {number + 1} of {_ROUNDS}")
                measured[name] = _better(measured[name], _rates(path))
        progress("comparing answers")
        truth = _predictions(original, order.text)
        for name, path in candidates.items():
            measured[name] = _compared(measured[name], truth, _predictions(path, order.text))
        best = choose(measured["original"], [measured[name] for name in candidates])
        if best is not None:
            candidates[best.name].replace(target)
        return Requantized(best.name if best else "", tuple(measured.values()))
    finally:
        for path in candidates.values():
            path.unlink(missing_ok=True)


def choose(original: Measured, candidates: Sequence[Measured]) -> Measured | None:
    """Return the cheapest candidate that answers nearly as the original does; None where none is worth it. Pure."""
    good = [
        candidate
        for candidate in candidates
        if candidate.loss <= MAX_LOSS
        and candidate.same >= MIN_SAME
        and key_ms(candidate) <= (1 - MIN_GAIN) * key_ms(original)
    ]
    return min(good, key=key_ms, default=None)


def key_ms(measured: Measured) -> float:
    """Return what a key is taken to cost with these rates."""
    prefill_s = KEY_PREFILL_TOKENS / max(measured.prefill_tokens_per_s, 1e-6)
    return (prefill_s + KEY_DECODE_TOKENS / max(measured.decode_tokens_per_s, 1e-6)) * 1000


def _write(original: Path, path: Path, file_type: int) -> None:
    params = L.llama_model_quantize_default_params()
    params.ftype = file_type
    params.allow_requantize = True
    params.nthread = compute_threads(0)
    last_errors()
    if L.llama_model_quantize(str(original).encode(), str(path).encode(), params):
        reason = next(iter(last_errors()), "llama.cpp gave no reason")
        raise ModelUnusable(f"The weights of {original.name} cannot be requantized: {reason}.")


def _context_of(model: GgufModel) -> Context:
    wanted = Requested(_CONTEXT_TOKENS, gpu_layers=0)
    plan = fallback_steps(shape_of(model), FreeMemory(available_bytes()), wanted)[0].plan
    return Context(model, plan, ThreadBudget(compute_threads(0), fixed=True))


def _rates(path: Path) -> tuple[float, float]:
    """Return tokens per second: prefill in whole micro-batches, and decode one by one."""
    model = GgufModel(str(path), gpu_layers=0, vocab_only=False)
    context = _context_of(model)
    try:
        context.warm_up()
        tokens = np.arange(_PREFILL_TOKENS, dtype=np.int32) % model.vocabulary.size
        began = time.perf_counter()
        for start in range(0, _PREFILL_TOKENS, context.ubatch_tokens):
            context.decode(1, tokens[start : start + context.ubatch_tokens], outputs=1)
        prefill_s = time.perf_counter() - began
        began = time.perf_counter()
        for _ in range(_DECODE_TOKENS):
            context.decode(1, tokens[:1], outputs=1)
        decode_s = time.perf_counter() - began
        return _PREFILL_TOKENS / prefill_s, _DECODE_TOKENS / decode_s
    finally:
        context.close()
        model.close()


def _better(before: Measured, rates: tuple[float, float]) -> Measured:
    """Keep the best of several rounds, which other programs disturbed least."""
    return msgspec.structs.replace(
        before,
        prefill_tokens_per_s=round(max(before.prefill_tokens_per_s, rates[0]), 1),
        decode_tokens_per_s=round(max(before.decode_tokens_per_s, rates[1]), 1),
    )


def _predictions(path: Path, text: str) -> tuple[float, list[int]]:
    """Return the nats that the tokens of a text cost in all, and the likeliest token at each position."""
    model = GgufModel(str(path), gpu_layers=0, vocab_only=False)
    context = _context_of(model)
    try:
        tokens = model.vocabulary.tokenize(text)[: _CONTEXT_TOKENS - OUTPUTS]
        nats, likeliest = 0.0, list[int]()
        for start in range(0, len(tokens) - 1, OUTPUTS):
            batch = tokens[start : start + OUTPUTS]
            context.decode(1, batch, outputs=len(batch))
            for row in range(min(len(batch), len(tokens) - 1 - start)):
                logits = context.logits(row).astype(np.float64)
                top = float(logits.max())
                nats += top + float(np.log(np.exp(logits - top).sum())) - float(logits[tokens[start + row + 1]])
                likeliest.append(int(logits.argmax()))
        return nats, likeliest
    finally:
        context.close()
        model.close()


def _compared(measured: Measured, truth: tuple[float, list[int]], predicted: tuple[float, list[int]]) -> Measured:
    same = sum(expected == actual for expected, actual in zip(truth[1], predicted[1], strict=True))
    return msgspec.structs.replace(
        measured,
        loss=round(predicted[0] / max(truth[0], 1e-6) - 1, 4),
        same=round(same / max(len(truth[1]), 1), 4),
    )
