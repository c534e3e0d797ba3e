"""A typist who does not wait: visible text is only ever extended, whatever the model writes and when."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from itertools import cycle
from pathlib import Path
from random import Random
from statistics import mean

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from scripts.typing_trace.functions import Function, keys_of
from scripts.typing_trace.impatient import Account, Screen, Typist
from scripts.typing_trace.pace import BEFORE_LINE, IN_WORD, pauses_ms
from scripts.typing_trace.watched import WatchedEngine
from spark_lsp.config import CompletionSettings
from spark_lsp.engine.base import Chunk, CompletionRequest
from spark_lsp.engine.testing import ScriptedEngine
from tests.completion.check import cursor_of
from tests.support.clock import run_at_once
from tests.support.workspace import TestWorkspace

BODY = "total = width * height\n    scaled = total * factor\n    return scaled"
AREA = Function(Path("/w/main.py"), "def area(width, height, factor):\n    ", BODY, "\n\n\nprint(area(1, 2, 3))\n")
AUTO = CompletionSettings()


class SlowEngine(ScriptedEngine):
    """Waits before the first token and before every other."""

    def __init__(
        self,
        answers: Callable[[CompletionRequest], str],
        first_ms: float,
        next_ms: float,
        probability: Callable[[str], float],
    ) -> None:
        super().__init__(answers, 4, probability=probability)
        self._first_s, self._next_s = first_ms / 1000, next_ms / 1000

    async def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Stream the scripted answer, each chunk at its time."""
        await asyncio.sleep(self._first_s)
        async with aclosing(super().generate(request)) as chunks:
            async for chunk in chunks:
                yield chunk
                await asyncio.sleep(self._next_s)


def knowing(function: Function) -> Callable[[CompletionRequest], str]:
    """Return a model that knows what will be typed."""
    texts = [function.before, *_beginnings(function)]

    def answer(request: CompletionRequest) -> str:
        prompt = "".join(part.text for part in request.prompt)
        typed = max((text for text in texts if text in prompt), key=len)
        return (function.before + function.body)[len(typed) :]

    return answer


def _beginnings(function: Function) -> list[str]:
    typed, beginnings = function.before, []
    for key in keys_of(function.body):
        typed += key
        beginnings.append(typed)
    return beginnings


def typed(
    answers: Callable[[CompletionRequest], str],
    *,
    first_ms: float = 60,
    next_ms: float = 8,
    seed: int = 0,
    streams: bool = True,
    function: Function = AREA,
    probability: Callable[[str], float] = lambda _token: 1.0,
) -> tuple[Account, WatchedEngine]:
    """Type a function on a simulated clock."""

    async def work() -> tuple[Account, WatchedEngine]:
        engine = WatchedEngine(SlowEngine(answers, first_ms, next_ms, probability))
        workspace = TestWorkspace(engine, settings=AUTO)
        typist = Typist(workspace.completer, engine, seed=seed, streams=streams)
        await typist.type(function)
        await workspace.completer.close()
        return typist.account, engine

    return run_at_once(work())


@pytest.mark.parametrize("streams", [True, False])
def test_a_model_that_knows_is_seen_and_nothing_flickers(streams: bool) -> None:
    account, engine = typed(knowing(AREA), streams=streams)
    assert account.keys == len(list(keys_of(BODY)))
    assert account.shown > account.keys // 2
    assert account.continued == account.stable > 0
    assert (account.flicker, account.duplicated_suffix, account.unbalanced) == (0, 0, 0)
    assert 60 <= account.appeared_ms[0] < 200
    summary = account.summary(engine)
    assert 0 < summary["model_requests"] < account.keys
    assert summary["wasted"] < summary["model_requests"]
    assert streams or summary["typed_through"] > 0  # our own plugins send no request


@pytest.mark.parametrize("streams", [True, False])
def test_a_model_slower_than_the_keys_is_stopped_and_what_it_wasted_is_counted(streams: bool) -> None:
    account, engine = typed(lambda _request: "other = 1\n", first_ms=400, next_ms=50, streams=streams)
    summary = account.summary(engine)
    assert account.flicker == 0
    assert account.cancelled > 0
    assert 0 < summary["stopped_in_the_model"] <= summary["wasted"] <= summary["model_requests"]


def test_the_same_seed_types_at_the_same_moments() -> None:
    first, second = (typed(knowing(AREA), seed=3)[0] for _ in range(2))
    assert first == second
    assert first.appeared_ms != typed(knowing(AREA), seed=4)[0].appeared_ms


def test_pauses_are_those_of_people() -> None:
    keys = list(keys_of(BODY)) * 50
    pauses = list(pauses_ms(keys, Random(0)))
    assert 200 < mean(pauses) < 280
    behind_lines = [pause for key, pause in zip([*"\n", *keys], pauses, strict=False) if key.startswith("\n")]
    assert min(behind_lines) >= BEFORE_LINE.least_ms
    assert min(pauses) >= IN_WORD.least_ms


def _screen() -> Screen:
    return Screen(Account(), WatchedEngine(ScriptedEngine(["x"])))


async def test_what_is_typed_over_is_no_flicker_and_what_is_replaced_is() -> None:
    cursor, shown = cursor_of("value = $0\nprint(1)\n"), _screen()
    shown.key("=", "area(1)", 0.0)
    shown.put(cursor, "area", 0)
    shown.put(cursor, "area(1)", 0)
    shown.key("x", "", 0.0)
    assert (shown.text, shown.account.flicker, shown.account.right) == ("", 0, 1)
    shown.put(cursor, "yz", 0)
    shown.key("y", "z", 0.0)
    shown.put(cursor, "w", 0)
    shown.close()
    account = shown.account
    assert (account.keys, account.shown, account.continued, account.stable, account.flicker) == (3, 3, 1, 0, 1)


async def test_what_is_taken_away_while_it_is_typed_is_a_flicker() -> None:
    cursor, shown = cursor_of("value = $0\nprint(1)\n"), _screen()
    shown.key("=", "", 0.0)
    shown.put(cursor, "area", 0)
    shown.key("a", "", 0.0)
    shown.put(cursor, "", 0)
    assert shown.account.flicker == 1


async def test_a_repeat_of_what_follows_and_an_open_bracket_are_counted() -> None:
    cursor, shown = cursor_of("value = $0\nprint(1)\n"), _screen()
    shown.key("=", "", 0.0)
    shown.put(cursor, "area(\nprint(1)", 0)
    assert (shown.account.unbalanced, shown.account.duplicated_suffix) == (1, 1)


FRAGMENTS = st.sampled_from(
    ["total", " = ", "width", " * ", "height", "\n    ", "\n", "scaled", "return ", "factor", "(", ")", "x", "t",
     "if x:", "\n        ", "\n\n\nprint(area(1, 2, 3))", "[", "]", "total = total", "\n\n"]
)  # fmt: skip
TEXTS = st.lists(FRAGMENTS, max_size=12).map("".join)


@pytest.mark.slow
@given(
    st.lists(TEXTS, min_size=1, max_size=6),
    st.lists(st.booleans(), min_size=1, max_size=8),
    st.floats(0, 500),
    st.floats(0, 100),
    st.integers(0, 5),
    st.booleans(),
    st.lists(st.sampled_from([0.3, 0.6, 0.8, 1.0]), min_size=1, max_size=20),
)
@settings(max_examples=60, deadline=None, phases=[Phase.generate])  # to shrink one takes minutes
def test_nothing_on_the_screen_is_ever_replaced_by_anything_but_its_extension(
    texts: list[str],
    is_known_name: list[bool],
    first_ms: float,
    next_ms: float,
    seed: int,
    streams: bool,
    chances: list[float],
) -> None:
    right, chance = knowing(AREA), cycle(chances)
    count = 0

    def answer(request: CompletionRequest) -> str:
        nonlocal count
        count += 1
        is_right = is_known_name[count % len(is_known_name)]
        text = right(request)
        return text if is_right else text[: count % 7] + texts[count % len(texts)]

    account, _ = typed(
        answer, first_ms=first_ms, next_ms=next_ms, seed=seed, streams=streams, probability=lambda _token: next(chance)
    )
    assert (account.flicker, account.duplicated_suffix, account.unbalanced) == (0, 0, 0)
    assert account.stable == account.continued
