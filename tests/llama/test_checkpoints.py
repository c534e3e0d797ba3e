"""Checkpoints of recurrent states: which one a sequence goes back to, and which go when there are too many."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.llama.kv.checkpoints import MIN_STATES, Checkpoint, Checkpoints

STATE_BYTES = 100
BUDGET_STATES = 12


def checkpoint(position: int) -> Checkpoint:
    return Checkpoint(position, np.zeros(STATE_BYTES, np.uint8))


def positions(checkpoints: Checkpoints, sequence: int, end: int = 100_000) -> list[int]:
    """Every place that a sequence can go back to."""
    places: list[int] = []
    while (latest := checkpoints.latest(sequence, end)) is not None:
        places.append(latest.position)
        end = latest.position - 1
    return places[::-1]


def filled(*places: int, budget_states: int = BUDGET_STATES) -> Checkpoints:
    checkpoints = Checkpoints(3, budget_states * STATE_BYTES)
    for place in places:
        checkpoints.add(0, checkpoint(place), is_passing=False)
    return checkpoints


def test_a_sequence_goes_back_to_the_last_checkpoint_before_a_place() -> None:
    checkpoints = filled(512, 1024, 1100)
    latest = [checkpoints.latest(0, most) for most in (0, 511, 512, 1099, 5000)]
    assert [checkpoint.position if checkpoint else None for checkpoint in latest] == [None, None, 512, 1024, 1100]


def test_a_passing_checkpoint_lasts_until_the_next_one() -> None:
    checkpoints = filled(512)
    for place in (600, 700):
        checkpoints.add(0, checkpoint(place), is_passing=True)
    assert positions(checkpoints, 0) == [512, 700]
    checkpoints.truncate(0, 699)
    assert positions(checkpoints, 0) == [512]


def test_sequences_share_the_checkpoints_of_a_common_beginning_and_count_them_once() -> None:
    checkpoints = filled(512, 1024, 1536)
    checkpoints.share(0, 1, 1024)
    assert positions(checkpoints, 1) == [512, 1024]
    assert checkpoints.total_bytes() == 3 * STATE_BYTES
    checkpoints.truncate(0, 0)
    assert positions(checkpoints, 1) == [512, 1024]
    assert checkpoints.total_bytes() == 2 * STATE_BYTES


def test_over_the_budget_the_newest_places_stay_close_and_old_ones_go_far_apart() -> None:
    """A prompt that is typed in differs near its end; a file in its middle changes now and then."""
    places = positions(filled(*range(512, 32_769, 512)), 0)
    assert len(places) == BUDGET_STATES
    assert places[-3:] == [31_744, 32_256, 32_768]
    assert places[0] > 512
    steps = [after - before for before, after in zip([0, *places], places, strict=False)]
    assert steps[-1] == 512
    assert max(steps) == max(steps[: len(steps) // 2])


def test_keys_of_a_line_leave_few_checkpoints() -> None:
    assert positions(filled(512, *range(1000, 1200, 16)), 0) == [512, 1000, 1048, 1096, 1144, 1192]


def test_a_budget_for_less_than_one_state_still_keeps_some() -> None:
    assert len(positions(filled(*range(64, 6401, 64), budget_states=0), 0)) == MIN_STATES


def test_the_memory_of_a_dropped_state_is_used_again_and_never_that_of_a_kept_one() -> None:
    checkpoints = filled(512)
    held = checkpoints.latest(0, 512)
    assert held is not None
    passing = checkpoint(600)
    checkpoints.add(0, passing, is_passing=True)
    assert checkpoints.buffer(STATE_BYTES) is not passing.state
    checkpoints.truncate(0, 512)
    assert checkpoints.buffer(STATE_BYTES) is passing.state
    assert checkpoints.buffer(STATE_BYTES) is not passing.state
    checkpoints.add(0, passing, is_passing=True)
    checkpoints.share(1, 0, 0)
    assert checkpoints.buffer(2 * STATE_BYTES).nbytes == 2 * STATE_BYTES


@given(
    steps=st.lists(st.tuples(st.sampled_from(["add", "pass", "truncate", "share"]), st.integers(1, 400)), max_size=60)
)
def test_what_is_kept_is_always_of_the_sequence_and_within_the_budget(steps: list[tuple[str, int]]) -> None:
    checkpoints = Checkpoints(3, BUDGET_STATES * STATE_BYTES)
    lengths = [0, 0, 0]
    for step, number in steps:
        source, target = number % 3, (number + 1) % 3
        if step == "truncate":
            lengths[source] = min(lengths[source], number)
            checkpoints.truncate(source, lengths[source])
        elif step == "share":
            lengths[target] = lengths[source]
            checkpoints.share(source, target, lengths[source])
        else:
            lengths[source] += number
            checkpoints.add(source, checkpoint(lengths[source]), is_passing=step == "pass")
            assert checkpoints.latest(source, lengths[source]) is not None, "the newest one stays"
        assert checkpoints.total_bytes() <= BUDGET_STATES * STATE_BYTES
        for sequence, length in enumerate(lengths):
            assert all(0 < place <= length for place in positions(checkpoints, sequence))
