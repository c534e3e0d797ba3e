"""What is learned of speeds, and how much background work reads at once."""

from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.llama.rates import CHUNK_MS, TILE_TOKENS, Rates


@given(cost_ms=st.floats(0.001, 50), depth=st.integers(0, 131_072), most=st.integers(1, 2048))
def test_a_background_chunk_is_always_whole_tiles_and_short_where_that_can_be(
    cost_ms: float, depth: int, most: int
) -> None:
    rates = Rates()
    rates.learn(512, 512 * cost_ms / 1000, depth)
    chunk = rates.chunk_tokens(depth, most, is_background=True)
    assert 0 < chunk <= most
    assert chunk == most or chunk % TILE_TOKENS == 0
    assert chunk <= TILE_TOKENS or chunk * rates.read_cost.at(depth) <= CHUNK_MS


def test_without_a_measured_cost_a_chunk_is_as_large_as_can_be() -> None:
    assert Rates().chunk_tokens(0, 512, is_background=True) == 512
