"""One llama.cpp context of several sequences and the mirrors of what they hold: the only place that decodes.

Every misuse that would abort the process is checked here before the call. Belongs to one thread, except ``abort``.
"""

import ctypes
import time
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from spark_lsp.errors import EngineFailed, ModelUnusable
from spark_lsp.llama.kv.abort_flag import AbortFlag
from spark_lsp.llama.kv.block_store import Setup, model_identity
from spark_lsp.llama.kv.cells import Cells, KvMirror, Tokens
from spark_lsp.llama.kv.checkpoints import MAX_BYTES, Checkpoint, Checkpoints
from spark_lsp.llama.kv.decode_batch import DecodeBatch
from spark_lsp.llama.kv.speed import TILE_TOKENS, DecodeRates
from spark_lsp.llama.loading.fit import ContextPlan
from spark_lsp.llama.loading.gguf_model import GgufModel
from spark_lsp.llama.loading.memory import CPU_UBATCH_TOKENS, available_bytes
from spark_lsp.llama.loading.memory_estimate import context_params
from spark_lsp.llama.loading.native import L, last_errors, library_version
from spark_lsp.llama.loading.threads import ThreadBudget
from spark_lsp.trace import bug

MAX_DRAFT_TOKENS: Final = 32
OUTPUTS: Final = MAX_DRAFT_TOKENS + 1  # rows of logits; the default is one for each token of a batch: hundreds of MiB

SCRATCH: Final = 0
"""The sequence through which blocks are saved to disk and loaded."""
SEQUENCES: Final = 10
WARM_UP_MS: Final = 300.0
"""How long two micro-batches may take that only make the first rates more exact: those of one tile are a quarter above
them (``docs/internals/engine-measurements.md``)."""

_CHECKPOINT_SHARE: Final = 16
"""Checkpoints take a sixteenth of the free memory at most: half of it is the cache's, the rest is for others."""
_PARTIAL: Final = L.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY
_ABORTED: Final = 2
_NO_SLOT: Final = 1
_INVALID: Final = -1


class WindowGap(NamedTuple):
    """Positions between which a sequence cannot end."""

    start: int
    end: int


class Context:
    """A context of ``capacity`` cells that all sequences share; ``mirrors`` tell what each of them holds."""

    def __init__(
        self, model: GgufModel, plan: ContextPlan, share: ThreadBudget, *, abort: AbortFlag | None = None
    ) -> None:
        """Create the native context; contexts of one thread can have one flag.

        Raises:
            ModelUnusable: llama.cpp cannot make a context of this size.
        """
        self.abort = abort or AbortFlag()
        self._shadows = SEQUENCES if L.llama_model_n_swa(model.handle) > 0 else 0
        """How far behind each sequence its shadow is; 0 for models without a sliding window, which need none."""
        self.ubatch_tokens = plan.ubatch_tokens
        """How many tokens the library computes at once, and so the most that is worth giving it at once."""
        self.has_tiles = not plan.on_gpu and not plan.plain_attention
        """Whether attention is computed as the processor backend fuses it, which favours batches of a whole tile."""
        self.can_abort = not plan.on_gpu
        """Whether the flag stops a running decode; GPU backends do not look at it."""
        self.batch_tokens = plan.ubatch_tokens if self._shadows else plan.batch_tokens
        """Most tokens of one decode."""
        self.pays_for_all = plan.plain_attention
        """Whether a decode costs in proportion to all cells in use, not only to those of its own sequence."""
        self.prompt_tokens = plan.prompt_tokens
        """Most tokens of one prompt with its answer; the other cells are for request slots and the next prefix."""
        self._share = share
        self._threads = share.threads()
        params = context_params(plan)
        params.n_seq_max = SEQUENCES + self._shadows
        params.n_outputs_max = OUTPUTS
        params.n_threads = params.n_threads_batch = self._threads
        params.abort_callback = self.abort.callback
        params.abort_callback_data = self.abort.address
        self._params = params
        last_errors()
        self._context = L.llama_init_from_model(model.handle, params)
        if not self._context:
            reason = next(iter(last_errors()), "llama.cpp gave no reason")
            raise ModelUnusable(f"A context of {plan.cells:,} tokens cannot be made: {reason}.")
        self._memory = L.llama_get_memory(self._context)
        self.capacity: int = L.llama_n_ctx(self._context)
        self.can_truncate = not (L.llama_model_is_recurrent(model.handle) or L.llama_model_is_hybrid(model.handle))
        """Whether a sequence can drop its end anywhere; else, in recurrent and hybrid models, at checkpoints only."""
        self._checkpoints = Checkpoints(SEQUENCES, min(MAX_BYTES, available_bytes() // _CHECKPOINT_SHARE))
        self._gaps: list[tuple[WindowGap, ...]] = [()] * SEQUENCES
        """Where sequences cannot end, because their sliding window came from disk for the end of a block only."""
        self.rates = DecodeRates()
        self.computed_s = 0.0
        """Time inside the library's decodes, of all answers together."""
        self.cells = Cells(self.capacity)
        self.mirrors = tuple(KvMirror(self.cells) for _ in range(SEQUENCES))
        self._vocabulary_size = model.vocabulary.size
        self._batch = DecodeBatch()
        self._views: dict[int, npt.NDArray[np.float32]] = {}
        self._outputs = 0

    def setup(self, model: GgufModel) -> Setup:
        """Return what the numbers in its cells depend on.

        Raises:
            ModelUnusable: the model's file cannot be read any more.
        """
        params = self._params
        return Setup(
            model=model_identity(Path(model.path)),
            layers=model.number("block_count", 0),
            key_type=params.type_k,
            value_type=params.type_v,
            flash_attention=params.flash_attn_type,
            rope_scaling=params.rope_scaling_type,
            rope_freq_base=params.rope_freq_base,
            rope_freq_scale=params.rope_freq_scale,
            yarn_original_tokens=params.yarn_orig_ctx,
            yarn_ext_factor=params.yarn_ext_factor,
            yarn_attn_factor=params.yarn_attn_factor,
            yarn_beta_fast=params.yarn_beta_fast,
            yarn_beta_slow=params.yarn_beta_slow,
            library=library_version(),
        )

    @property
    def handle(self) -> Any:
        """The native context, for samplers."""
        return self._context

    def close(self) -> None:
        """Free the native context. Idempotent."""
        context, self._context = self._context, None
        if context:
            L.llama_free(context)

    def decode(
        self, sequence: int, tokens: Tokens, *, outputs: int = 0, is_background: bool = False
    ) -> Literal["done", "aborted"]:
        """Decode tokens at the end of a sequence; the logits of the last ``outputs`` of them can be read after.

        Aborted, the micro-batches that were finished stay, and the mirror says so.

        Raises:
            EngineFailed: the library refused or failed.
        """
        count, mirror = len(tokens), self.mirrors[sequence]
        self._guard(tokens, outputs)
        start = len(mirror)
        self._batch.fill(sequence, tokens, start, outputs)
        self._outputs = 0
        n_past = self.attended(sequence)
        used = self._choose_threads(is_background=is_background)
        began = time.perf_counter()
        code: int = L.llama_decode(self._context, self._batch.native)
        if code == 0 and outputs:
            L.llama_synchronize(self._context)
        spent_s = time.perf_counter() - began
        self.computed_s += spent_s
        if code == 0:
            mirror.append(tokens)
            self._hold(sequence, start)
            self._outputs = outputs
            self.rates.learn(count, spent_s * used, n_past)
            return "done"
        kept = self.resident(sequence) - start
        if not self.can_truncate:  # its state is of some token within the batch
            self._go_back(sequence, start)
        elif not 0 <= kept <= count:
            bug("the cache lost tokens in a decode", kept=kept, count=count, code=code)
            self.clear()
        else:
            mirror.append(tokens[:kept])
            self._hold(sequence, start)
        if code == _ABORTED:
            return "aborted"
        raise EngineFailed(_decode_failure(code))

    def attended(self, sequence: int) -> int:
        """Return how many cells the next token of a sequence attends to: its own, or all that are in use."""
        return self.capacity - self.cells.free if self.pays_for_all else len(self.mirrors[sequence])

    def logits(self, row: int = -1) -> npt.NDArray[np.float32]:
        """Return the logits of a row of the last decode's outputs, -1 the last; a view that the next one overwrites.

        Raises:
            EngineFailed: the last decode left none there.
        """
        place = row if row < 0 else row - self._outputs
        pointer = L.llama_get_logits_ith(self._context, place) if -self._outputs <= place < 0 else None
        if not pointer:
            raise EngineFailed("The model gave no logits.")
        address = ctypes.addressof(pointer.contents)
        view = self._views.get(address)
        if view is None:  # making one takes ten times as long as finding it, and the addresses stay the same
            view = self._views[address] = np.ctypeslib.as_array(pointer, (self._vocabulary_size,))
        return view

    def share(self, source: int, target: int, length: int) -> None:
        """Make a sequence the first ``length`` tokens of another, sharing its cells; nothing is computed.

        A sequence of a recurrent or hybrid model becomes those up to the last checkpoint before.
        """
        origin, mirror = self.mirrors[source], self.mirrors[target]
        same = min(mirror.same_as(origin), length)
        if not self.can_truncate:
            self._share_checkpoint(source, target, same, length)
            return
        length = self.restorable(source, length)
        start = self.truncate(target, min(same, length))
        if start < length:
            self._copy(source, target, start, length)
            mirror.extend_from(origin, length)
            gaps = (gap for gap in self._gaps[source] if start < gap.end <= length)
            self._gaps[target] += tuple(WindowGap(max(gap.start, start), gap.end) for gap in gaps)

    def _share_checkpoint(self, source: int, target: int, same: int, length: int) -> None:
        origin, mirror = self.mirrors[source], self.mirrors[target]
        end = self.restorable(source, length)
        own = self.restorable(target, same)
        if own >= end:
            self.truncate(target, own)
            return
        self.truncate(target, 0)
        self._copy(source, target, -1, end)
        mirror.extend_from(origin, end)
        checkpoint = self._checkpoints.latest(source, end) if end < len(origin) else None
        self._checkpoints.share(source, target, end)
        if checkpoint is not None and not self._restore(target, checkpoint):
            self.truncate(target, 0)

    def truncate(self, sequence: int, length: int) -> int:
        """Keep the first ``length`` tokens of a sequence; return how many are left, fewer where that is impossible."""
        mirror = self.mirrors[sequence]
        if length >= len(mirror):
            return len(mirror)
        if length and not self.can_truncate:
            return self._go_back(sequence, length)
        length = self.restorable(sequence, length)
        if length and not self._remove(sequence, length):
            self.can_truncate = False
            length = 0
        if not length:
            self._remove(sequence)
        self._forget(sequence, length)
        return length

    def _forget(self, sequence: int, length: int) -> None:
        """Note that a sequence holds its first ``length`` tokens only."""
        self.mirrors[sequence].truncate(length)
        self._checkpoints.truncate(sequence, length)
        self._gaps[sequence] = tuple(gap for gap in self._gaps[sequence] if gap.end <= length)

    def restorable(self, sequence: int, length: int) -> int:
        """Return how many tokens ``truncate`` to ``length`` would leave of a sequence; changes nothing."""
        if length >= len(self.mirrors[sequence]):
            return length
        if self.can_truncate:
            return next((gap.start for gap in self._gaps[sequence] if gap.start < length < gap.end), length)
        checkpoint = self._checkpoints.latest(sequence, length)
        return checkpoint.position if checkpoint is not None else 0

    def keep_checkpoint(self, sequence: int, *, is_passing: bool = False) -> None:
        """Make it possible to go back to where a sequence ends now; a passing checkpoint lasts until the next one.

        Costs nothing where a sequence can drop its end; else a copy of the state, some 20 MB in models of 1B weights.
        """
        position = len(self.mirrors[sequence])
        if self.can_truncate or self._shadows or not position or self._checkpoints.has(sequence, position):
            return  # beside a sliding window the state would be that of all its cells
        size: int = L.llama_state_seq_get_size_ext(self._context, sequence, _PARTIAL)
        state = self._checkpoints.buffer(size)
        written: int = L.llama_state_seq_get_data_ext(
            self._context, _pointer(state, ctypes.c_uint8), size, sequence, _PARTIAL
        )
        if written == size > 0:
            self._checkpoints.add(sequence, Checkpoint(position, state), is_passing=is_passing)

    def drop_unmirrored(self, sequence: int) -> None:
        """Take back what was decoded behind a sequence past this class, as the baseline does."""
        length = len(self.mirrors[sequence])
        if self.can_truncate:
            self._remove(sequence, length)
        else:
            self._go_back(sequence, length)

    def _go_back(self, sequence: int, length: int) -> int:
        """Take a sequence back to its last checkpoint behind at most ``length`` tokens; return where that is."""
        checkpoint = self._checkpoints.latest(sequence, length)
        if checkpoint is None or not self._restore(sequence, checkpoint):
            self._remove(sequence)
            self._forget(sequence, 0)
            return 0
        self._forget(sequence, checkpoint.position)
        return checkpoint.position

    def _restore(self, sequence: int, checkpoint: Checkpoint) -> bool:
        """Set the recurrent state of a sequence and drop the cells behind it; whether it ends there now."""
        size = checkpoint.state.nbytes
        pointer = _pointer(checkpoint.state, ctypes.c_uint8)
        read: int = L.llama_state_seq_set_data_ext(self._context, pointer, size, sequence, _PARTIAL)
        if read != size or not self._remove(sequence, checkpoint.position):
            return False
        return self.resident(sequence) == checkpoint.position

    def save(self, sequence: int, start: int, end: int, path: Path) -> int:
        """Write the cells of some tokens of a sequence to a file; return its bytes, 0 when it could not be written.

        ``restorable`` must say that a sequence can end at ``end``.
        """
        mirror = self.mirrors[sequence]
        assert 0 <= start < end <= len(mirror), "only what is resident can be saved"
        tokens = mirror.tokens[start:end].copy()
        checkpoint = None if self.can_truncate or end == len(mirror) else self._checkpoints.latest(sequence, end)
        self._copy(sequence, SCRATCH, start, end)
        size = 0
        if checkpoint is None or self._restore(SCRATCH, checkpoint):
            pointer = _pointer(tokens, L.llama_token)
            size = L.llama_state_seq_save_file(self._context, str(path).encode(), SCRATCH, pointer, len(tokens))
        self._remove(SCRATCH)
        return size

    def load(self, sequence: int, path: Path, tokens: Tokens) -> bool:
        """Append what ``save`` wrote to a sequence that ends where it began; whether it was there and free cells too.

        The file must have been verified: the library aborts the process at one that is cut short.
        """
        mirror, start = self.mirrors[sequence], len(self.mirrors[sequence])
        end = start + len(tokens)
        if self.cells.free < len(tokens):
            return False
        loaded = np.zeros(len(tokens), np.int32)
        count = ctypes.c_size_t(0)
        pointer = _pointer(loaded, L.llama_token)
        size: int = L.llama_state_seq_load_file(
            self._context, str(path).encode(), SCRATCH, pointer, len(loaded), ctypes.byref(count)
        )
        is_right = size > 0 and count.value == len(tokens) and bool((loaded == tokens).all())
        is_right = is_right and self.resident(SCRATCH) == end
        if is_right:
            L.llama_memory_seq_cp(self._memory, SCRATCH, sequence, start, end)
            mirror.append(tokens)
            self._hold(sequence, start)
            if self._shadows:
                self._gaps[sequence] += (WindowGap(start, end),)
            self.keep_checkpoint(sequence)
        self._remove(SCRATCH)
        self._outputs = 0
        return is_right

    def _copy(self, source: int, target: int, start: int, end: int) -> None:
        """Give a sequence the cells of another one from ``start`` on, -1 for all of them up to ``end``."""
        L.llama_memory_seq_cp(self._memory, source, target, start, end)
        if self._shadows:
            L.llama_memory_seq_cp(self._memory, source, target + self._shadows, start, end)

    def _remove(self, sequence: int, start: int = -1) -> bool:
        """Take a sequence's cells from ``start`` on, or all of them, which never fails; whether that is possible."""
        if self._shadows:
            L.llama_memory_seq_rm(self._memory, sequence + self._shadows, start, -1)
        is_removed: bool = L.llama_memory_seq_rm(self._memory, sequence, start, -1)
        return is_removed

    def _hold(self, sequence: int, start: int) -> None:
        """Keep the new cells of a sequence in its shadow too.

        llama.cpp writes over a cell that one sequence alone uses and whose token its sliding window has left, although
        the sequence may be truncated to where the window still had it.
        """
        if self._shadows:
            end = len(self.mirrors[sequence])
            L.llama_memory_seq_cp(self._memory, sequence, sequence + self._shadows, start, end)

    def resident(self, sequence: int) -> int:
        """Return how many tokens llama.cpp says that a sequence holds."""
        last: int = L.llama_memory_seq_pos_max(self._memory, sequence)
        return last + 1

    def clear(self) -> None:
        """Forget everything."""
        L.llama_memory_clear(self._memory, True)
        for sequence in range(SEQUENCES):
            self._forget(sequence, 0)
        self._outputs = 0

    def warm_up(self) -> None:
        """Touch weights and buffers, and learn first rates, so that the first request pays for neither.

        A machine that prefills whole micro-batches in no time learns its rate from them, any other from one tile:
        a user waits for this before the first suggestion.
        """
        self._compute_zeros(TILE_TOKENS, 1)
        if self.rates.prefill_cost.base_ms * 2 * CPU_UBATCH_TOKENS <= WARM_UP_MS:
            count = min(CPU_UBATCH_TOKENS, self.batch_tokens)
            self._compute_zeros(count, count, 1)
        self.clear()

    def _compute_zeros(self, *counts: int) -> None:
        for count in counts:
            self.decode(SCRATCH, np.zeros(count, np.int32), outputs=1)

    def _choose_threads(self, *, is_background: bool) -> float:
        """Use the cores that are free, and for background work half of them: the editor needs some too.

        Returns what share of a foreground decode's threads this is; reading takes nearly so much of its time longer.
        """
        free = self._share.threads()
        threads = -(-free // 2) if is_background else free
        if threads != self._threads:
            self._threads = threads
            L.llama_set_n_threads(self._context, threads, threads)
        return threads / free

    def _guard(self, tokens: Tokens, outputs: int) -> None:
        count = len(tokens)
        if not 0 < count <= self.batch_tokens:
            raise EngineFailed(
                f"A batch of {count} tokens was refused; between 1 and {self.batch_tokens} are possible."
            )
        if not 0 <= outputs <= min(count, OUTPUTS):
            raise EngineFailed(f"A batch with {outputs} rows of logits was refused; at most {OUTPUTS} are possible.")
        if count > self.cells.free:
            raise EngineFailed(f"The context of {self.capacity:,} tokens is full.")
        least, most = (tokens[0], tokens[0]) if count == 1 else (tokens.min(), tokens.max())
        if least < 0 or most >= self._vocabulary_size:
            raise EngineFailed("A token outside the vocabulary was refused.")


def _decode_failure(code: int) -> str:
    if code == _NO_SLOT:
        return "The context is full."
    if code == _INVALID:
        return "llama.cpp refused a batch as invalid."
    reason = next(iter(last_errors()), "no reason given")
    return f"llama.cpp failed to compute (code {code}): {reason}."


def _pointer(array: npt.NDArray[Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
