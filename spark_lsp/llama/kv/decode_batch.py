"""A batch of one sequence's tokens as ``llama_decode`` takes it, written through numpy. Never decodes."""

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from spark_lsp.llama.kv.cells import Tokens
from spark_lsp.llama.loading.fit import BATCH_TOKENS
from spark_lsp.llama.loading.native import L


class DecodeBatch:
    """The arrays that a decode reads, written through numpy; all rows belong to one sequence."""

    def __init__(self) -> None:
        self.tokens = np.zeros(BATCH_TOKENS, np.int32)
        self.positions = np.zeros(BATCH_TOKENS, np.int32)
        self.outputs = np.zeros(BATCH_TOKENS, np.int8)
        self.sequence = np.zeros(1, np.int32)
        self._counts = np.ones(BATCH_TOKENS, np.int32)
        self._sequences = np.full(BATCH_TOKENS, self.sequence.ctypes.data, np.uintp)
        self.native = L.llama_batch(
            n_tokens=0,
            token=_pointer(self.tokens, ctypes.c_int32),
            embd=None,
            pos=_pointer(self.positions, ctypes.c_int32),
            n_seq_id=_pointer(self._counts, ctypes.c_int32),
            seq_id=_pointer(self._sequences, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(self.outputs, ctypes.c_int8),
        )

    def fill(self, sequence: int, tokens: Tokens, start: int, outputs: int) -> None:
        """Lay out tokens from a position on; the last ``outputs`` of them give logits."""
        count = len(tokens)
        self.sequence[0] = sequence
        self.native.n_tokens = count
        if count == 1:  # each step of an answer, in which every microsecond counts
            self.tokens[0], self.positions[0], self.outputs[0] = tokens[0], start, outputs
            return
        self.tokens[:count] = tokens
        self.positions[:count] = np.arange(start, start + count, dtype=np.int32)
        self.outputs[:count] = 0
        self.outputs[count - outputs : count] = 1


def _pointer(array: npt.NDArray[Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
