"""What is learned of speeds, and how much background work reads at once."""

from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.engine.base import ReadCost
from spark_lsp.llama.rates import CHUNK_MS, TILE_TOKENS, UNTILED, Rates


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


@given(
    cost_ms=st.floats(0.001, 50), slope_ms=st.floats(0, 5), tokens=st.integers(1, 400), depth=st.integers(0, 131_072)
)
def test_a_whole_tile_never_replaces_a_batch_that_is_cheaper_by_what_was_measured(
    cost_ms: float, slope_ms: float, tokens: int, depth: int
) -> None:
    rates = Rates()
    rates.read_cost = ReadCost(cost_ms, slope_ms)
    if not rates.fills_tile(tokens, depth):
        return
    attention_ms = slope_ms * depth / 1000
    assert tokens < TILE_TOKENS <= depth
    assert tokens * (cost_ms + UNTILED * attention_ms) > TILE_TOKENS * (cost_ms + attention_ms)


def test_a_third_of_a_tile_is_read_as_it_is_and_most_of_one_whole() -> None:
    rates = Rates()
    rates.read_cost = ReadCost(0.2, 0.1)
    assert [rates.fills_tile(tokens, 16_384) for tokens in (1, 21, 40, 63, 64)] == [False, False, True, True, False]
    assert not rates.fills_tile(40, 100)
