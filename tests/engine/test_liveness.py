"""When a process counts as hung, and when it does not."""

import math

import pytest

from spark_lsp.engine.base import Chunk
from spark_lsp.engine.local.liveness import HangTimeout, LivenessMonitor
from spark_lsp.engine.wire import frames

PATIENCE = HangTimeout(poll_s=1.0, min_s=5.0, times=10.0, loading_s=30.0)
LOADED = frames.Welcome(0, 1, None)
PART = frames.AnswerChunk(1, Chunk("a", 1))


def beat(turns: int, *, busy: bool = True, turn_s: float = 0.1) -> frames.Heartbeat:
    return frames.Heartbeat(turns, busy, turn_s)


def hung_after(monitor: LivenessMonitor, frames: list[frames.HostFrame], *, step_s: float = 1.0) -> int:
    """Return the poll at which a process counts as hung, the frame after each poll given; 0 if it never does."""
    monitor.begin(0.0)
    for number, frame in enumerate(frames, 1):
        if monitor.poll(number * step_s):
            return number
        monitor.received(frame)
    return 0


def silence_after(monitor: LivenessMonitor) -> int:
    monitor.begin(0.0)
    return next(look for look in range(1, 1000) if monitor.poll(float(look)))


def welcomed() -> LivenessMonitor:
    monitor = LivenessMonitor(PATIENCE)
    monitor.received(LOADED)
    return monitor


def test_silence_is_a_hang() -> None:
    assert silence_after(welcomed()) == 6


def test_silence_may_be_longer_while_a_model_is_loaded() -> None:
    assert silence_after(LivenessMonitor(PATIENCE)) == 31


def test_silence_after_a_load_is_a_hang_as_soon_as_any() -> None:
    monitor = LivenessMonitor(PATIENCE)
    monitor.received(beat(0, turn_s=math.inf))
    monitor.received(beat(1, busy=False, turn_s=math.inf))  # rests since the load
    assert silence_after(monitor) == 6


def test_silence_may_be_as_long_as_a_slow_turn_but_not_endless() -> None:
    for turn_s, look in [(1.0, 11), (60.0, 31)]:
        monitor = welcomed()
        monitor.received(beat(1, turn_s=turn_s))
        assert silence_after(monitor) == look


@pytest.mark.parametrize(("turn_s", "look"), [(0.1, 7), (1.0, 12), (60.0, 602)])
def test_the_same_turn_for_ten_times_as_long_as_predicted_is_a_hang(turn_s: float, look: int) -> None:
    assert hung_after(welcomed(), [beat(7, turn_s=turn_s)] * 1000) == look


def test_what_gets_on_or_rests_or_loads_never_hangs() -> None:
    assert hung_after(welcomed(), [beat(turns) for turns in range(1000)]) == 0
    assert hung_after(welcomed(), [beat(7, busy=False)] * 1000) == 0
    assert hung_after(welcomed(), [beat(7, turn_s=math.inf)] * 1000) == 0
    assert hung_after(welcomed(), [beat(7), PART] * 500) == 0


def test_other_answers_do_not_speak_for_the_thread_of_the_model() -> None:
    counts: frames.HostFrame = frames.Counts(1, (1,))
    assert hung_after(welcomed(), [counts, beat(7)] * 500) == 8


def test_time_that_jumps_is_one_look() -> None:
    monitor = welcomed()
    monitor.begin(0.0)
    assert not monitor.poll(100_000.0)
    assert not monitor.poll(200_000.0)
    assert monitor.poll(300_000.0)  # three polls at two seconds each and not a sign: more than five
    assert hung_after(welcomed(), [beat(turns) for turns in range(100)], step_s=100_000.0) == 0


def test_somebody_who_comes_later_has_patience_of_his_own() -> None:
    monitor = welcomed()
    assert silence_after(monitor) == 6
    assert silence_after(monitor) == 6
