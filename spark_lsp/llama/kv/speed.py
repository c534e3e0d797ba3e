"""Speeds learned from every decode: prefill cost by position, decode speed, and the best batch size. Pure.

Newer decodes count more. One that another program held up counts for no more than a slow one.
"""

from typing import Final

from spark_lsp.engine.base import PrefillCost

CHUNK_MS: Final = 50.0
"""How long a background decode may delay a completion where it cannot be aborted, as on a GPU."""
FOREGROUND_CHUNK_MS: Final = 250.0
"""How long a decode that someone waits for may take: an abort takes effect after one node of its graph, some 2 %."""
TILE_TOKENS: Final = 64
"""Batch size from which llama.cpp's processor backend computes attention in tiles: at position 16,384 a batch of 63
takes 2.3 times as long as one of 64, so a smaller batch delays a completion longer and prefills less."""

UNTILED: Final = 2.5
"""How many times as much attention costs in a smaller batch: 2.3 to 3.4, at positions 4,096 and 16,384."""

_WEIGHT: Final = 0.3
_MEMORY: Final = 0.97
"""Weight that a sample keeps when the next one at about its position comes: some 30 decodes count."""
_MEMORY_ELSEWHERE: Final = 0.997
"""The same when the next one comes at another position: a long prefill must not forget what a token costs at 0."""
_OUTLIER: Final = 4.0
_MIN_BASE_SHARE: Final = 0.01  # of the mean cost: a token at position 0 always costs something
_FIRST_DOUBLING_TOKENS: Final = 1024
_SPREAD_TOKENS: Final = 500.0  # positions that differ by less cannot tell the slope from noise


class DecodeRates:
    """Learns from timed decodes. Tokens per second; 0.0 before the first."""

    def __init__(self) -> None:
        self.prefill_tokens_per_s = 0.0
        self.decode_tokens_per_s = 0.0
        self.prefill_cost = PrefillCost()
        self._sums: dict[int, list[float]] = {}
        """For each doubling of n_past, weighted: sums of 1, n_past, ms, n_past * n_past, n_past * ms."""

    def learn(self, tokens: int, seconds: float, n_past: int) -> None:
        """Record a finished decode of ``tokens`` tokens at position ``n_past``."""
        rate = tokens / max(seconds, 1e-6)
        if tokens == 1:
            self.decode_tokens_per_s = _blend(self.decode_tokens_per_s, rate)
        elif tokens >= TILE_TOKENS:
            self.prefill_tokens_per_s = _blend(self.prefill_tokens_per_s, rate)
            self._fit(1000 / rate, n_past + tokens / 2, tokens)

    def chunk_tokens(self, n_past: int, most: int, *, is_background: bool) -> int:
        """Return how many tokens a decode may take at this position."""
        cost_ms = self.prefill_cost.at(n_past)
        chunk_ms = CHUNK_MS if is_background else FOREGROUND_CHUNK_MS
        tiles = int(chunk_ms / cost_ms) // TILE_TOKENS if cost_ms else most
        return min(most, max(1, tiles) * TILE_TOKENS)

    def fills_tile(self, tokens: int, n_past: int) -> bool:
        """Whether a whole tile is cheaper than a smaller batch, although some cached tokens are prefilled again."""
        if not 0 < tokens < TILE_TOKENS or n_past < TILE_TOKENS:
            return False
        attention_ms = self.prefill_cost.slope_ms * n_past / 1000
        base_ms = self.prefill_cost.base_ms
        return tokens * (base_ms + UNTILED * attention_ms) > TILE_TOKENS * (base_ms + attention_ms)

    def _fit(self, token_ms: float, n_past: float, tokens: int) -> None:
        """Fit a line through cost over position by weighted least squares; a longer decode weighs more."""
        expected_ms = self.prefill_cost.at(int(n_past))
        if expected_ms:
            token_ms = min(token_ms, _OUTLIER * expected_ms)
        values = (1.0, n_past, token_ms, n_past * n_past, n_past * token_ms)
        doubling = (int(n_past) + _FIRST_DOUBLING_TOKENS).bit_length()
        for group, sums in self._sums.items():
            memory = _MEMORY if group == doubling else _MEMORY_ELSEWHERE
            sums[:] = [memory * value for value in sums]
        own = self._sums.setdefault(doubling, [0.0] * len(values))
        own[:] = [old + tokens * new for old, new in zip(own, values, strict=True)]
        total, positions, costs, squares, products = (sum(parts) for parts in zip(*self._sums.values(), strict=True))
        mean_depth, mean_cost = positions / total, costs / total
        variance = squares / total - mean_depth * mean_depth
        slope = (products / total - mean_depth * mean_cost) / variance if variance > _SPREAD_TOKENS**2 else None
        if slope is None:  # all samples are at one position: keep the last slope
            slope = self.prefill_cost.slope_ms / 1000
        slope = min(max(slope, 0.0), (1 - _MIN_BASE_SHARE) * mean_cost / max(mean_depth, 1.0))
        self.prefill_cost = PrefillCost(mean_cost - slope * mean_depth, slope * 1000)


def _blend(old: float, new: float) -> float:
    return new if old == 0.0 else old + _WEIGHT * (new - old)
