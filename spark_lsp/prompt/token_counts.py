"""Exact token counts, cached per content. The only place where this package waits for the engine.

Never estimates: a budget that is kept by guess is broken by the first file of Chinese comments.
"""

from collections import OrderedDict
from collections.abc import Sequence

from spark_lsp.engine.base import Engine
from spark_lsp.text.snapshot import content_hash

CACHE_LIMIT_ENTRIES = 50_000  # about 100 bytes each


class TokenCounter:
    """Counts tokens of texts with the engine's tokenizer and remembers them by content, per model."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._fingerprint = ""

    async def count(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, each tokenised in isolation.

        Raises:
            EngineError, ModelError: there is no tokenizer to ask.
        """
        self._drop_counts_of_another_model()
        keys = [content_hash(text) for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if text and key not in self._counts}
        if missing:
            counted = await self._engine.count_tokens(list(missing.values()))
            self._counts.update(zip(missing, counted, strict=True))
        result = []
        for key, text in zip(keys, texts, strict=True):
            result.append(self._counts[key] if text else 0)
            if text:
                self._counts.move_to_end(key)
        while len(self._counts) > CACHE_LIMIT_ENTRIES:
            self._counts.popitem(last=False)
        return result

    def _drop_counts_of_another_model(self) -> None:
        fingerprint = self._engine.model.fingerprint if self._engine.model else ""
        if fingerprint != self._fingerprint:
            self._counts.clear()
            self._fingerprint = fingerprint
