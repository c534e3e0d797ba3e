"""What is learned of speeds, and how much background work reads at once."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.engine.base import PrefillCost
from spark_lsp.llama.kv.speed import CHUNK_MS, TILE_TOKENS, UNTILED, DecodeRates


@given(cost_ms=st.floats(0.001, 50), n_past=st.integers(0, 131_072), most=st.integers(1, 2048))
def test_a_background_chunk_is_always_whole_tiles_and_short_where_that_can_be(
    cost_ms: float, n_past: int, most: int
) -> None:
    rates = DecodeRates()
    rates.learn(512, 512 * cost_ms / 1000, n_past)
    chunk = rates.chunk_tokens(n_past, most, is_background=True)
    assert 0 < chunk <= most
    assert chunk == most or chunk % TILE_TOKENS == 0
    assert chunk <= TILE_TOKENS or chunk * rates.prefill_cost.at(n_past) <= CHUNK_MS


def test_without_a_measured_cost_a_chunk_is_as_large_as_can_be() -> None:
    assert DecodeRates().chunk_tokens(0, 512, is_background=True) == 512


@given(
    cost_ms=st.floats(0.001, 50), slope_ms=st.floats(0, 5), tokens=st.integers(1, 400), n_past=st.integers(0, 131_072)
)
def test_a_whole_tile_never_replaces_a_batch_that_is_cheaper_by_what_was_measured(
    cost_ms: float, slope_ms: float, tokens: int, n_past: int
) -> None:
    rates = DecodeRates()
    rates.prefill_cost = PrefillCost(cost_ms, slope_ms)
    if not rates.fills_tile(tokens, n_past):
        return
    attention_ms = slope_ms * n_past / 1000
    assert tokens < TILE_TOKENS <= n_past
    assert tokens * (cost_ms + UNTILED * attention_ms) > TILE_TOKENS * (cost_ms + attention_ms)


def test_a_third_of_a_tile_is_read_as_it_is_and_most_of_one_whole() -> None:
    rates = DecodeRates()
    rates.prefill_cost = PrefillCost(0.2, 0.1)
    assert [rates.fills_tile(tokens, 16_384) for tokens in (1, 21, 40, 63, 64)] == [False, False, True, True, False]
    assert not rates.fills_tile(40, 100)


def cost_after(
    rates: DecodeRates, *, base_ms: float, slope_ms: float, positions: range, noise: float, seed: int
) -> None:
    """Read tiles at these positions on a machine whose speed varies."""
    chance = random.Random(seed)
    for n_past in positions:
        token_ms = base_ms + slope_ms * (n_past + TILE_TOKENS / 2) / 1000
        rates.learn(TILE_TOKENS, TILE_TOKENS * token_ms * (1 + noise * chance.random()) / 1000, n_past)


@pytest.mark.parametrize("seed", range(20))
def test_reading_deep_for_long_does_not_forget_what_a_token_costs_without_depth(seed: int) -> None:
    rates = DecodeRates()
    cost_after(rates, base_ms=0.1, slope_ms=0.08, positions=range(0, 2048, TILE_TOKENS), noise=0.5, seed=seed)
    cost_after(rates, base_ms=0.1, slope_ms=0.08, positions=range(20_000, 28_000, TILE_TOKENS), noise=0.5, seed=seed)
    assert 0.05 <= rates.prefill_cost.base_ms <= 0.3
    assert 0.9 <= rates.prefill_cost.at(27_000) / (0.1 + 0.08 * 27) <= 1.6


def test_a_machine_that_became_twice_as_slow_is_believed_where_it_was_measured() -> None:
    rates = DecodeRates()
    cost_after(rates, base_ms=0.1, slope_ms=0.08, positions=range(0, 28_000, TILE_TOKENS), noise=0.1, seed=1)
    cost_after(rates, base_ms=0.2, slope_ms=0.16, positions=range(20_000, 26_000, TILE_TOKENS), noise=0.1, seed=1)
    assert 1.6 <= rates.prefill_cost.at(24_000) / (0.1 + 0.08 * 24) <= 2.3


SAMPLE = st.tuples(st.integers(TILE_TOKENS, 2048), st.floats(1e-6, 100), st.integers(0, 131_072))


@given(samples=st.lists(SAMPLE, max_size=60))
def test_a_measured_cost_is_never_negative(samples: list[tuple[int, float, int]]) -> None:
    rates = DecodeRates()
    for tokens, seconds, n_past in samples:
        rates.learn(tokens, seconds, n_past)
        assert rates.prefill_cost.base_ms >= -1e-9
        assert rates.prefill_cost.slope_ms >= 0
        assert rates.prefill_cost.at(n_past) > 0
