"""One llama.cpp context and the mirror of what it holds: the only place that decodes.

Every misuse that would abort the process is checked here before the call. Belongs to one thread, except ``abort``.
"""

import ctypes
import mmap
import sys
import time
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from spark_lsp.errors import EngineFailed, ModelUnusable
from spark_lsp.llama.cache import Mirror, Segment, Tokens
from spark_lsp.llama.fit import halved
from spark_lsp.llama.model import GgufModel
from spark_lsp.llama.native import L, last_errors
from spark_lsp.llama.threads import CoreShare
from spark_lsp.trace import bug

CPU_UBATCH: Final = 64
"""Small, because an abort waits for one graph node of one micro-batch (design/engine.md section 2.4)."""
GPU_UBATCH: Final = 512
BATCH_TOKENS: Final = 512
OUTPUTS: Final = 8  # rows of logits; the default is one for each token of a batch, hundreds of MiB

_SEQUENCE: Final = 0
_RATE_TOKENS: Final = 16  # fewer tokens at once say nothing of prefill speed
_RATE_WEIGHT: Final = 0.3
_GGML_TYPES: Final = {"f16": 1, "q8_0": 8, "q4_0": 2}

_ABORTED: Final = 2
_NO_SLOT: Final = 1
_INVALID: Final = -1


class AbortFlag:
    """A byte that stops a running decode, from any thread, without the interpreter or its lock.

    The library's callback is libc's ``strlen`` and its data this page: length 1 means stop.
    """

    def __init__(self) -> None:
        libc = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        strlen = ctypes.cast(libc.strlen, ctypes.c_void_p).value
        assert strlen is not None, "every C library has strlen"
        self.callback = L.ggml_abort_callback(strlen)
        self.address: int = ctypes.addressof(ctypes.c_char.from_buffer(self._page))

    def set(self) -> None:
        """Stop the decode that runs, or the next one."""
        self._page[0] = 1

    def clear(self) -> None:
        """Let decodes run."""
        self._page[0] = 0


class Rates:
    """Speeds learned from every decode, newer ones counting more. Tokens per second; 0.0 before the first."""

    def __init__(self) -> None:
        self.prefill_tokens_per_s = 0.0
        self.decode_tokens_per_s = 0.0

    def learn(self, tokens: int, seconds: float) -> None:
        """Take a finished decode into account."""
        rate = tokens / max(seconds, 1e-6)
        if tokens == 1:
            self.decode_tokens_per_s = _blend(self.decode_tokens_per_s, rate)
        elif tokens >= _RATE_TOKENS:
            self.prefill_tokens_per_s = _blend(self.prefill_tokens_per_s, rate)


class Context:
    """A context of ``capacity`` cells with one sequence, whose tokens ``mirror`` tells."""

    def __init__(self, model: GgufModel, *, cells: int, share: CoreShare, on_gpu: bool, kv_type: str) -> None:
        """Create the native context.

        Raises:
            ModelUnusable: llama.cpp cannot make a context of this size.
        """
        self.abort = AbortFlag()
        threads = share.threads()
        params = _context_params(cells, threads, on_gpu=on_gpu, kv_type=kv_type)
        params.abort_callback = self.abort.callback
        params.abort_callback_data = self.abort.address
        last_errors()
        self._context = L.llama_init_from_model(model.handle, params)
        if not self._context:
            told = next(iter(last_errors()), "llama.cpp gave no reason")
            raise ModelUnusable(f"A context of {cells:,} tokens cannot be made: {told}.")
        self._memory = L.llama_get_memory(self._context)
        self._share = share
        self._threads = threads
        self.capacity: int = L.llama_n_ctx(self._context)
        self.rates = Rates()
        self.mirror = Mirror(self.capacity)
        self.owner: object = None
        """Whoever decoded last; another one must not take the resident tokens for its own."""
        self._vocabulary_size = model.vocabulary.size
        self._batch = L.llama_batch_init(BATCH_TOKENS, 0, 1)
        self._tokens: Tokens = np.ctypeslib.as_array(self._batch.token, (BATCH_TOKENS,))
        self._positions: Tokens = np.ctypeslib.as_array(self._batch.pos, (BATCH_TOKENS,))
        self._outputs: npt.NDArray[np.int8] = np.ctypeslib.as_array(self._batch.logits, (BATCH_TOKENS,))
        np.ctypeslib.as_array(self._batch.n_seq_id, (BATCH_TOKENS,))[:] = 1
        for row in range(BATCH_TOKENS):
            self._batch.seq_id[row][0] = _SEQUENCE
        self._has_logits = False

    @property
    def handle(self) -> Any:
        """The native context, for samplers."""
        return self._context

    def close(self) -> None:
        """Free the native context. Idempotent."""
        context, self._context = self._context, None
        if context:
            L.llama_batch_free(self._batch)
            L.llama_free(context)

    def reuse(self, segments: Sequence[Segment]) -> int:
        """Keep what a prompt shares with the resident tokens, drop the rest, and return how many were kept.

        Never the whole prompt: at least one token must be decoded for its logits.
        """
        whole = sum(len(segment.tokens) for segment in segments)
        return self._truncate(min(self.mirror.common(segments), max(whole - 1, 0)))

    def decode(self, tokens: Tokens, *, logits: bool) -> Literal["done", "aborted"]:
        """Decode tokens at the end of the sequence; with ``logits`` those of the last one can be read after.

        Aborted, the micro-batches that were finished stay, and the mirror says so.

        Raises:
            EngineFailed: the library refused or failed.
        """
        count = len(tokens)
        self._guard(tokens)
        start = len(self.mirror)
        self._tokens[:count] = tokens
        self._positions[:count] = np.arange(start, start + count, dtype=np.int32)
        self._outputs[:count] = 0
        self._outputs[count - 1] = 1 if logits else 0
        self._batch.n_tokens = count
        self._has_logits = False
        self._follow_share()
        began = time.perf_counter()
        code: int = L.llama_decode(self._context, self._batch)
        if code == 0:
            if logits:
                L.llama_synchronize(self._context)
            self.mirror.append(tokens)
            self._has_logits = logits
            self.rates.learn(count, time.perf_counter() - began)
            return "done"
        kept = self.resident() - start
        if not 0 <= kept <= count:
            bug("the cache lost tokens in a decode", kept=kept, count=count, code=code)
            self.clear()
        else:
            self.mirror.append(tokens[:kept])
        if code == _ABORTED:
            return "aborted"
        raise EngineFailed(_decode_failure(code))

    def logits(self) -> npt.NDArray[np.float32]:
        """Return the logits of the last token, a view that the next decode overwrites.

        Raises:
            EngineFailed: the last decode left none.
        """
        pointer = L.llama_get_logits_ith(self._context, -1) if self._has_logits else None
        if not pointer:
            raise EngineFailed("The model gave no logits.")
        view: npt.NDArray[np.float32] = np.ctypeslib.as_array(pointer, (self._vocabulary_size,))
        return view

    def resident(self) -> int:
        """Return how many tokens llama.cpp says that the sequence holds."""
        last: int = L.llama_memory_seq_pos_max(self._memory, _SEQUENCE)
        return last + 1

    def clear(self) -> None:
        """Forget everything."""
        L.llama_memory_clear(self._memory, True)
        self.mirror = Mirror(self.capacity)
        self._has_logits = False

    def warm_up(self) -> None:
        """Touch weights and buffers, and learn first rates, so that the first request pays for neither."""
        for count in (CPU_UBATCH, CPU_UBATCH, 1, 1):
            self.decode(np.zeros(count, np.int32), logits=True)
        self.clear()

    def _truncate(self, length: int) -> int:
        if length < len(self.mirror):
            if not L.llama_memory_seq_rm(self._memory, _SEQUENCE, length, -1):
                self.clear()  # recurrent and hybrid models cannot forget a part
                return 0
            self.mirror.truncate(length)
            self._has_logits = False
        return length

    def _follow_share(self) -> None:
        threads = self._share.threads()
        if threads != self._threads:
            self._threads = threads
            L.llama_set_n_threads(self._context, threads, threads)

    def _guard(self, tokens: Tokens) -> None:
        count = len(tokens)
        if not 0 < count <= BATCH_TOKENS:
            raise EngineFailed(f"A batch of {count} tokens was refused; between 1 and {BATCH_TOKENS} are possible.")
        if len(self.mirror) + count > self.capacity:
            raise EngineFailed(f"The context of {self.capacity:,} tokens is full.")
        if int(tokens.min()) < 0 or int(tokens.max()) >= self._vocabulary_size:
            raise EngineFailed("A token outside the vocabulary was refused.")


def open_context(
    model: GgufModel, *, cells: int, share: CoreShare, on_gpu: bool, kv_type: str
) -> tuple[Context, tuple[str, ...]]:
    """Create a context, halving its size while the library says no; return it and a note if that was needed.

    Raises:
        ModelUnusable: not even the smallest context can be made.
    """
    size = cells
    while True:
        try:
            context = Context(model, cells=size, share=share, on_gpu=on_gpu, kv_type=kv_type)
        except ModelUnusable:
            size = halved(size)
            if size == 0:
                raise
            continue
        if size == cells:
            return context, ()
        return context, (f"The context is {size:,} tokens because the memory for {cells:,} could not be had.",)


def _context_params(cells: int, threads: int, *, on_gpu: bool, kv_type: str) -> Any:
    params = L.llama_context_default_params()
    params.n_ctx = cells
    params.n_batch = BATCH_TOKENS
    params.n_ubatch = GPU_UBATCH if on_gpu else CPU_UBATCH
    params.n_seq_max = 1
    params.kv_unified = True
    params.n_outputs_max = OUTPUTS
    params.n_threads = threads
    params.n_threads_batch = threads
    params.type_k = _GGML_TYPES[kv_type]
    params.type_v = _GGML_TYPES[kv_type]
    return params


def _decode_failure(code: int) -> str:
    if code == _NO_SLOT:
        return "The context is full."
    if code == _INVALID:
        return "llama.cpp refused a batch as invalid."
    told = next(iter(last_errors()), "no reason given")
    return f"llama.cpp failed to compute (code {code}): {told}."


def _blend(old: float, new: float) -> float:
    return new if old == 0.0 else old + _RATE_WEIGHT * (new - old)
