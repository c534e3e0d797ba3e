"""How long to wait: in proportion to the latency, and for a pause where the typing is faster than the model."""

import pytest

from spark_lsp.pacing import FEWEST_KEYS, DebouncePolicy, Rhythm


@pytest.mark.parametrize(
    ("latency_ms", "gap_ms", "wait_ms"),
    [
        (40, 0, 20),  # the least
        (200, 0, 50),  # a quarter of the latency
        (200, 250, 50),  # the answer comes before the next key
        (200, 150, 195),  # it would not: wait until a key is overdue
        (2000, 100, 300),  # the most
    ],
)
def test_wait_follows_latency_and_rhythm(latency_ms: float, gap_ms: float, wait_ms: float) -> None:
    assert DebouncePolicy().wait_ms(latency_ms, gap_ms) == wait_ms


def test_a_fixed_wait_is_what_the_user_said() -> None:
    assert DebouncePolicy(75.0).wait_ms(2000, 100) == 75.0


def test_rhythm_is_the_usual_gap_and_thinking_is_no_typing() -> None:
    rhythm = Rhythm()
    now_s = 0.0
    for gap_s in [0.1, 0.2, 5.0, 0.1, 0.2, 30.0, 0.2]:
        assert rhythm.gap_ms == 0.0
        now_s += gap_s
        rhythm.key(now_s)
    for _ in range(FEWEST_KEYS):
        now_s += 0.2
        rhythm.key(now_s)
    assert rhythm.gap_ms == pytest.approx(200)
