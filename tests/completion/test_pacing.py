"""The delay before a request: in proportion to the latency, and until a pause if typing is faster than the model."""

import asyncio
from itertools import pairwise

import pytest

from spark_lsp.config import CompletionSettings
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.pacing import MIN_DEBOUNCE_MS, MIN_KEYS, DebouncePolicy, TypingSpeed
from tests.completion.check import cursor_of
from tests.support.clock import run_at_once
from tests.support.workspace import TestWorkspace


@pytest.mark.parametrize(
    ("latency_ms", "gap_ms", "wait_ms"),
    [
        (40, 0, 20),  # the minimum
        (200, 0, 50),  # a quarter of the latency
        (200, 250, 50),  # the answer comes before the next key
        (200, 150, 195),  # it would not: wait until a key is overdue
        (2000, 100, 300),  # the maximum
    ],
)
def test_wait_follows_latency_and_rhythm(latency_ms: float, gap_ms: float, wait_ms: float) -> None:
    assert DebouncePolicy().wait_ms(latency_ms, gap_ms) == wait_ms


def test_a_fixed_wait_is_what_the_user_said() -> None:
    assert DebouncePolicy(75.0).wait_ms(2000, 100) == 75.0


def test_rhythm_is_the_usual_gap_and_thinking_is_no_typing() -> None:
    rhythm = TypingSpeed()
    now_s = 0.0
    for gap_s in [0.1, 0.2, 5.0, 0.1, 0.2, 30.0, 0.2]:
        assert rhythm.gap_ms == 0.0
        now_s += gap_s
        rhythm.key(now_s)
    for _ in range(MIN_KEYS):
        now_s += 0.2
        rhythm.key(now_s)
    assert rhythm.gap_ms == pytest.approx(200)


def test_who_asks_by_hand_and_what_is_known_already_never_wait() -> None:
    before, typed = cursor_of("value = call($0)\n"), cursor_of("value = call(o$0)\n")
    elsewhere = cursor_of("value = call($0)\n", "elsewhere.py")

    async def waited_ms() -> list[float]:
        workspace = TestWorkspace(ScriptedEngine(["other"]), settings=CompletionSettings())
        now_s = asyncio.get_running_loop().time
        times = [now_s()]
        for cursor, manual in ((elsewhere, True), (before, False), (typed, False)):
            await workspace.completer.complete(cursor, manual=manual)
            times.append(now_s())
        await workspace.completer.close()
        return [(end - start) * 1000 for start, end in pairwise(times)]

    by_hand, while_typing, typed_through = run_at_once(waited_ms())
    assert by_hand == pytest.approx(0, abs=0.1)
    assert while_typing >= MIN_DEBOUNCE_MS
    assert typed_through == pytest.approx(0, abs=0.1)
