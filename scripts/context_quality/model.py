"""Run a GGUF through llama.cpp alone: its greedy answer to a prompt, and the cost of a given text there.

One thread, one sequence; the common beginning of two prompts is prefilled once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_lsp.engine.base import PromptPart
from spark_lsp.llama.kv.decode_batch import DecodeBatch
from spark_lsp.llama.loading.gguf_model import GgufModel, TokenCache
from spark_lsp.llama.loading.native import L, quiet
from spark_lsp.llama.prompt_tokens import prompt_tokens

BATCH_TOKENS = 512
Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Named:
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Step:
    """One token of a text that the model was made to write: its bytes, its cost, whether it was the most likely one.

    ``is_end`` tells whether the model would have stopped here.
    """

    piece: bytes
    nats: float
    is_best: bool
    is_end: bool


class Model:
    """A loaded model. Replaces an engine for counting tokens."""

    def __init__(self, path: str, *, context_tokens: int = 8192, threads: int = 1, vocab_only: bool = False) -> None:
        quiet()
        self.gguf = GgufModel(path, gpu_layers=0, vocab_only=vocab_only)
        self.model = _Named(path)
        self._texts = TokenCache()
        self._held: Tokens = np.empty(0, np.int32)
        if vocab_only:
            return
        params = L.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = context_tokens, BATCH_TOKENS, BATCH_TOKENS
        params.n_threads = params.n_threads_batch = threads
        self._context = L.llama_init_from_model(self.gguf.handle, params)
        self._memory = L.llama_get_memory(self._context)
        self._batch = DecodeBatch()

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, tokenised in isolation."""
        return [len(self.gguf.vocabulary.tokenize(text)) for text in texts]

    def tokens(self, parts: Sequence[PromptPart]) -> Tokens:
        """Return the tokens of a prompt."""
        return prompt_tokens(self.gguf.vocabulary, self._texts, parts).run.tokens

    def begun(self, before: str, after: str) -> int:
        """Return how many characters at the end of a text share a token with the following text, both ASCII."""
        place, last = 0, 0
        for token in self.gguf.vocabulary.tokenize(before + after).tolist():
            if place > len(before):
                break
            last, place = place, place + len(self.gguf.vocabulary.piece(token))
            if place == len(before):
                return 0
        return len(before) - last

    def force(self, prompt: Tokens, text: str) -> list[Step]:
        """Return the model's probability of each token of a text behind a prompt, and of the end after it."""
        wanted = self.gguf.vocabulary.tokenize(text)
        rows = [self._read(prompt), *self._decode(wanted, len(wanted))]
        self._held = np.concatenate([self._held, wanted])
        steps = [self._step(row, int(token)) for row, token in zip(rows, wanted, strict=False)]
        return [*steps, self._step(rows[-1], int(rows[-1].argmax()))]

    def _step(self, row: npt.NDArray[np.float32], token: int) -> Step:
        best = int(row.argmax())
        vocabulary = self.gguf.vocabulary
        is_end = vocabulary.ends_generation(best) or vocabulary.is_special(best)
        return Step(vocabulary.piece(token), _nats(row, token), best == token, is_end)

    def write(self, prompt: Tokens, max_tokens: int, *, lines: int) -> str:
        """Return the greedy answer, up to a number of lines."""
        row, written = self._read(prompt), b""
        for _ in range(max_tokens):
            token = int(row.argmax())
            if self.gguf.vocabulary.ends_generation(token) or self.gguf.vocabulary.is_special(token):
                break
            written += self.gguf.vocabulary.piece(token)
            if written.lstrip(b"\n").count(b"\n") >= lines:
                break
            (row,) = self._decode(np.array([token], np.int32), 1)
            self._held = np.append(self._held, np.int32(token))
        return written.decode("utf-8", "replace")

    def _read(self, prompt: Tokens) -> npt.NDArray[np.float32]:
        """Prefill a prompt after its common beginning with the cached tokens; return the last token's logits."""
        shared = min(len(prompt) - 1, len(self._held))
        differ = np.flatnonzero(prompt[:shared] != self._held[:shared])
        common = int(differ[0]) if len(differ) else shared
        L.llama_memory_seq_rm(self._memory, 0, common, -1)
        self._held = prompt[:common]
        for start in range(common, len(prompt), BATCH_TOKENS):
            rows = self._decode(prompt[start : start + BATCH_TOKENS], 1)
            self._held = prompt[: start + BATCH_TOKENS]
        last: npt.NDArray[np.float32] = rows[0]
        return last

    def _decode(self, tokens: Tokens, outputs: int) -> npt.NDArray[np.float32]:
        """Decode after the cached tokens; return a copy of the logits of the last ``outputs`` tokens."""
        count, size = len(tokens), self.gguf.vocabulary.size
        self._batch.fill(0, np.ascontiguousarray(tokens), len(self._held), outputs)
        code = L.llama_decode(self._context, self._batch.native)
        if code:
            raise RuntimeError(f"llama_decode returned {code}")
        rows = [
            np.ctypeslib.as_array(L.llama_get_logits_ith(self._context, place), (size,)).copy()
            for place in range(count - outputs, count)
        ]
        return np.array(rows)


def _nats(logits: npt.NDArray[np.float32], token: int) -> float:
    top = float(logits.max())
    return top + math.log(float(np.exp(logits - top).sum())) - float(logits[token])
