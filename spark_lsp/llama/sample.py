"""Choosing the next token from logits: greedy in numpy, the library's chain above temperature 0, grammars by rejection.

A grammar is asked about the one chosen token first and applied to the whole vocabulary only when it says no; a token
is never accepted unchecked, which would abort the process. Never decodes.
"""

import ctypes
from math import exp
from typing import Any, Final

import numpy as np

from spark_lsp.engine.base import Sampling
from spark_lsp.errors import EngineFailed
from spark_lsp.llama.grammar import check_grammar
from spark_lsp.llama.healing import Logits
from spark_lsp.llama.kv.llama_context import Context
from spark_lsp.llama.loading.gguf_model import Vocabulary
from spark_lsp.llama.loading.native import L

_CANDIDATE: Final = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
_ROOT: Final = b"root"


class TokenChooser:
    """Chooses tokens for one answer. ``close`` frees what the library lent."""

    def __init__(self, vocabulary: Vocabulary, sampling: Sampling) -> None:
        """Build the chain.

        Raises:
            EngineFailed: the grammar cannot be read.
        """
        self._vocabulary = vocabulary
        self._weights = np.empty(vocabulary.size, np.float32)
        self._chain: Any = None
        self._grammar: Any = None
        if sampling.grammar:
            check_grammar(sampling.grammar)
            self._grammar = L.llama_sampler_init_grammar(vocabulary.handle, sampling.grammar.encode(), _ROOT)
            if not self._grammar:
                self._grammar = None
                raise EngineFailed("The grammar of the request cannot be read.")
        self._is_greedy = sampling.temperature <= 0 and not sampling.grammar
        if sampling.temperature > 0:
            self._chain = _chain(sampling)

    def close(self) -> None:
        """Free the samplers. Idempotent."""
        for sampler in (self._chain, self._grammar):
            if sampler:
                L.llama_sampler_free(sampler)
        self._chain = self._grammar = None

    @property
    def scratch(self) -> Logits:
        """Room for a row of logits, which the next choice writes over."""
        return self._weights

    def choose(self, context: Context, row: int = -1) -> tuple[int, float] | None:
        """Return the token behind a row and its probability, or None where the grammar allows no token."""
        logits = context.logits(row)
        token = self._candidate(context) if self._chain else int(logits.argmax())
        if self._grammar:
            chosen = token if self._allowed(token) else self._choose_allowed(logits)
            if chosen is None:
                return None
            token = chosen
            if not L.llama_vocab_is_eog(self._vocabulary.handle, token):
                L.llama_sampler_accept(self._grammar, token)
        return token, self._probability(logits, token)

    def _probability(self, logits: Logits, token: int) -> float:
        """Return the softmax at a token. In place: a vocabulary of 150,000 is 600 kB again for each token otherwise."""
        top = logits[token] if self._is_greedy else logits.max()
        weights = np.subtract(logits, top, out=self._weights)
        chosen = float(weights[token])
        np.exp(weights, out=weights)
        return exp(chosen) / float(np.add.reduce(weights))

    def _candidate(self, context: Context) -> int:
        return int(L.llama_sampler_sample(self._chain, context.handle, -1))

    def _allowed(self, token: int) -> bool:
        candidate = np.zeros(1, _CANDIDATE)
        candidate["id"] = token
        candidate["logit"] = 1.0
        L.llama_sampler_apply(self._grammar, ctypes.byref(_array_of(candidate)))
        return bool(np.isfinite(candidate["logit"][0]))

    def _choose_allowed(self, logits: Logits) -> int | None:
        every = np.zeros(len(logits), _CANDIDATE)
        every["id"] = np.arange(len(logits), dtype=np.int32)
        every["logit"] = logits
        array = _array_of(every)
        L.llama_sampler_apply(self._grammar, ctypes.byref(array))
        best = int(every["logit"].argmax())
        if not np.isfinite(every["logit"][best]):
            return None
        if not self._chain:
            return int(every["id"][best])
        L.llama_sampler_apply(self._chain, ctypes.byref(array))
        if not 0 <= array.selected < array.size:
            return None
        return int(every["id"][array.selected])


def margin(logits: Logits) -> float:
    """Return by how much the best token leads."""
    best = int(logits.argmax())
    top = float(logits[best])
    logits[best] = -np.inf
    lead = top - float(logits.max())
    logits[best] = top
    return lead


def _chain(sampling: Sampling) -> Any:
    chain = L.llama_sampler_chain_init(L.llama_sampler_chain_default_params())
    if sampling.top_k > 0:
        L.llama_sampler_chain_add(chain, L.llama_sampler_init_top_k(sampling.top_k))
    if sampling.top_p < 1:
        L.llama_sampler_chain_add(chain, L.llama_sampler_init_top_p(max(sampling.top_p, 0.0), 1))
    L.llama_sampler_chain_add(chain, L.llama_sampler_init_temp(sampling.temperature))
    L.llama_sampler_chain_add(chain, L.llama_sampler_init_dist(sampling.seed & 0xFFFFFFFF))
    return chain


def _array_of(candidates: np.ndarray[Any, Any]) -> Any:
    """Wrap candidates for the library; the numpy array must outlive the result."""
    return L.llama_token_data_array(
        data=candidates.ctypes.data_as(ctypes.POINTER(L.llama_token_data)),
        size=len(candidates),
        selected=-1,
        sorted=False,
    )
