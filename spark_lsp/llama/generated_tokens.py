"""The tokens of one answer, and the text of those that no chunk has taken yet. Never chooses and never decodes."""

import codecs

import numpy as np

from spark_lsp.engine.base import Chunk, StopCause, Usage
from spark_lsp.llama.kv.cells import Tokens


class GeneratedTokens:
    """The answer by now; it has at most ``max_tokens`` tokens."""

    def __init__(self, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._tokens = np.empty(max_tokens, np.int32)
        self._count = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._text: list[str] = []
        self._scores: list[tuple[int, float]] = []

    def __len__(self) -> int:
        return self._count

    @property
    def tokens(self) -> Tokens:
        """The tokens by now."""
        return self._tokens[: self._count]

    @property
    def missing(self) -> int:
        """How many tokens the answer may still get."""
        return self.max_tokens - self._count

    def add(self, token: int, probability: float, piece: bytes) -> StopCause | None:
        """Write a token down, and of its bytes those that are part of the answer; return why the answer ends, or None.

        A character whose bytes are not all there yet comes with the token that completes it.
        """
        self._tokens[self._count] = token
        self._count += 1
        text = self._decoder.decode(piece)
        self._text.append(text)
        self._scores.append((len(text), probability))
        return None if self.missing else "max_tokens"

    @property
    def is_untaken(self) -> bool:
        """Whether no chunk has taken any of it."""
        return len(self._scores) == self._count

    def take(self, usage: Usage | None = None) -> Chunk | None:
        """Return the tokens since the last call as a chunk, None without any."""
        if not self._scores:
            return None
        smallest = min(probability for _, probability in self._scores)
        chunk = Chunk("".join(self._text), len(self._scores), smallest, usage=usage, scores=tuple(self._scores))
        self._text, self._scores = [], []
        return chunk

    def take_rest(self, stop: StopCause, usage: Usage) -> Chunk:
        """Return what is left as the last chunk, an unfinished character included."""
        unfinished = self._decoder.decode(b"", final=True)
        rest = self.take() or Chunk("", 0)
        return Chunk(rest.text + unfinished, rest.tokens, rest.probability, stop, usage, rest.scores)
