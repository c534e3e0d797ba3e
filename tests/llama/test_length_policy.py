"""How long drafts are: what is learned from timings and outcomes, and what learning may cost."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_lsp.llama.kv.cells import Tokens
from spark_lsp.llama.speculative.drafter import PromptLookupDrafter
from spark_lsp.llama.speculative.length_policy import (
    BUDGET_SHARE,
    BUDGET_STEPS,
    MAX_BATCH_TOKENS,
    MIN_GAIN,
    LengthPolicy,
)

NOTHING = np.empty(0, np.int32)
PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|_|\d+|\s+|[^\w\s]")
MODULE = Path(__file__).parent / "texts" / "completer.txt"
"""A module of this project as it once was: what is seen below hangs on its text."""

Cost = Callable[[int, int], float]
"""Seconds of a decode by its batch_size and its n_past."""


def no_amortisation(batch_size: int, n_past: int) -> float:
    return 0.003 * batch_size


def graphics(batch_size: int, n_past: int) -> float:
    """Weights and cache are read once for all batch_size."""
    return 0.008 + 1e-8 * n_past + 1e-4 * batch_size


def processor(batch_size: int, n_past: int) -> float:
    """Weights are read once, the cache once for each row: a small model on two cores."""
    return 0.004 + batch_size * (1e-4 + 2.5e-7 * n_past)


def kernels(batch_size: int, n_past: int) -> float:
    """A GPU that takes another kernel above 8 batch_size and again above 16."""
    return 0.008 if batch_size <= 8 else 0.014 if batch_size <= 16 else 0.025


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one answer: ``speed`` beside an answer without drafts."""

    speed: float
    tokens_a_step: float
    lengths: list[int]


def write(
    policy: LengthPolicy,
    cost: Cost,
    sources: list[Tokens],
    prompt: Tokens,
    answer: Tokens,
    *,
    most: int = 16,
    n_past: int = 0,
    noise: float = 0.0,
    hiccups: float = 0.0,
) -> Run:
    """Let a model that writes exactly ``answer`` decode with drafts on a machine with these costs.

    Timings vary by ``noise`` (a share) and are ten times as long at a ``hiccups`` share of decodes.
    """
    chance = np.random.default_rng(7)
    drafter = PromptLookupDrafter(sources)
    text = np.concatenate([prompt, answer])
    at, seconds, plain_seconds = len(prompt), 0.0, 0.0
    lengths = []
    while at < len(text):
        length = policy.length(n_past + at, min(most, len(text) - at - 1))
        draft = drafter.draft(text[max(0, at - 16) : at], length) if length else NOTHING
        accepted = 0
        while accepted < len(draft) and draft[accepted] == text[at + accepted]:
            accepted += 1
        taken = cost(len(draft) + 1, n_past + at)
        timed = taken * math.exp(noise * chance.standard_normal()) * (10 if chance.random() < hiccups else 1)
        policy.learn_cost(len(draft) + 1, timed, n_past + at)
        if len(draft):
            policy.learn_outcome(len(draft), accepted)
            drafter.accepted(len(draft), accepted)
        seconds += taken
        plain_seconds += sum(cost(1, n_past + at + ahead) for ahead in range(accepted + 1))
        at += accepted + 1
        lengths.append(length)
    return Run(plain_seconds / seconds, len(answer) / len(lengths), lengths)


def tokens_of(text: str, known: dict[str, int]) -> Tokens:
    return np.array([known.setdefault(piece, len(known)) for piece in PIECES.findall(text)], np.int32)


def rename(policy: LengthPolicy, cost: Cost, n_past: int = 0, **machine: float) -> Run:
    text, known = MODULE.read_text("utf-8"), dict[str, int]()
    region, answer = tokens_of(text, known), tokens_of(re.sub(r"\bself\b", "this", text), known)
    return write(policy, cost, [region, NOTHING, NOTHING], NOTHING, answer, n_past=n_past, **machine)


def new_code(policy: LengthPolicy, cost: Cost, n_past: int = 0, **machine: float) -> Run:
    tokens = tokens_of(MODULE.read_text("utf-8"), {})
    half = len(tokens) // 2
    before, answer = tokens[:half], tokens[half : half + 600]
    return write(policy, cost, [NOTHING, before, NOTHING], before, answer, n_past=n_past, **machine)


@settings(max_examples=30, deadline=None)
@given(
    single_timings=st.floats(1e-4, 0.1),
    share=st.floats(0.01, 3),
    close=st.integers(0, 1),
    tokens=st.integers(300, 1500),
)
def test_looking_up_in_vain_never_costs_more_than_the_credit(
    single_timings: float, share: float, close: int, tokens: int
) -> None:
    """Each look takes ``share`` of a decode and finds nothing, or what a decode more then has to settle."""
    policy, lost_steps = LengthPolicy(), 0.0
    for at in range(tokens):
        if policy.length(at, 16):
            policy.record_cost(at, seconds=share * single_timings, decodes=close)
            lost_steps += share + close
        policy.learn_cost(1, single_timings, at)
    assert lost_steps <= BUDGET_STEPS + (share + close) + 1.5 * BUDGET_SHARE * tokens


def taught(
    cost: Cost, positions: tuple[int, ...], drafted: int = 0, accepted: int = 0, times: int = 12
) -> LengthPolicy:
    """A policy that has seen what batch_size cost, and one outcome again and again."""
    policy = LengthPolicy()
    for _ in range(times):
        for n_past in positions:
            for batch_size in (1, 1, 2, 3, 5, 9, 17, 33, 64):
                policy.learn_cost(batch_size, cost(batch_size, n_past), n_past)
                policy.learn_outcome(batch_size - 1, batch_size - 1)
        for _ in range(8):
            policy.learn_outcome(drafted, accepted)
    return policy


@pytest.mark.slow
@given(
    steps=st.lists(
        st.tuples(
            st.integers(-3, 200),
            st.floats(allow_nan=True, allow_infinity=True),
            st.integers(-5, 10**9),
            st.integers(-3, 200),
            st.integers(-3, 200),
        ),
        max_size=40,
    ),
    most=st.integers(-3, 200),
)
def test_any_lesson_leaves_a_length_in_bounds(steps: list[tuple[int, float, int, int, int]], most: int) -> None:
    policy = LengthPolicy()
    for batch_size, seconds, n_past, drafted, accepted in steps:
        policy.learn_cost(batch_size, seconds, n_past)
        policy.learn_outcome(drafted, accepted)
        length = policy.length(n_past, most)
        assert 0 <= length <= max(0, min(most, MAX_BATCH_TOKENS - 1))
        assert policy.length(n_past, most) == length


PART = st.one_of(st.just(0.0), st.floats(1e-4, 0.1))


@pytest.mark.slow
@settings(max_examples=60)
@given(
    base=st.floats(1e-3, 0.1),
    base_by_position=PART,
    row=PART,
    per_token_by_position=PART,
    drafted=st.integers(1, 16),
    accepted=st.integers(0, 16),
    most=st.integers(1, 63),
    n_past=st.sampled_from([200, 4_000, 60_000]),
)
def test_with_truthful_costs_no_length_is_expected_to_be_slower(
    base: float,
    base_by_position: float,
    row: float,
    per_token_by_position: float,
    drafted: int,
    accepted: int,
    most: int,
    n_past: int,
) -> None:
    """A draft of one token may be a probe; what probes cost in all is bounded by the runs below."""

    def cost(batch_size: int, at: int) -> float:
        return base + base_by_position * at / 4096 + batch_size * (row + per_token_by_position * at / 4096)

    policy = taught(cost, (200, 4_000, 60_000), drafted, min(drafted, accepted))
    length = policy.length(n_past, most)
    if length >= 2:
        tokens = list(policy.expected_tokens(length))[-1]
        assert tokens * cost(1, n_past) / cost(length + 1, n_past) >= 1.0


def test_a_length_is_chosen_as_if_the_costs_were_known() -> None:
    policy = taught(processor, (1_000, 12_000), drafted=8, accepted=4)
    for n_past in (1_000, 12_000):
        expected = list(policy.expected_tokens(16))
        gains = [tokens * processor(1, n_past) / processor(k, n_past) for k, tokens in enumerate(expected, 2)]
        chosen = policy.length(n_past, 16)
        assert chosen
        assert gains[chosen - 1] >= 0.97 * max(gains)
    assert policy.length(1_000, 16) >= policy.length(12_000, 16)


def test_nothing_is_drafted_before_one_row_was_timed_at_the_depth() -> None:
    policy = LengthPolicy()
    assert policy.length(100, 16) == 0
    policy.learn_cost(1, 0.01, 100)
    assert policy.length(100, 16) > 0
    assert policy.length(50_000, 16) == 0


def test_a_promise_below_the_least_gain_is_no_reason_to_draft() -> None:
    def cost(batch_size: int, n_past: int) -> float:
        return 0.01 * (1 + (batch_size - 1) * (1 / (MIN_GAIN - 0.01)))

    policy = taught(cost, (1_000,), drafted=16, accepted=16)
    assert policy.length(1_000, 16) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("cost", [graphics, kernels])
@pytest.mark.parametrize("machine", [{}, {"noise": 0.1, "hiccups": 0.02}, {"noise": 0.3, "hiccups": 0.05}])
def test_a_rename_is_several_times_as_fast_where_rows_are_cheap(cost: Cost, machine: dict[str, float]) -> None:
    run = rename(LengthPolicy(), cost, n_past=12_000, **machine)
    # Seen: 11.3 to 12.0 times and 13.3 to 14.1 tokens a step on the smooth one; 4.8 to 6.7 times with steps.
    assert run.tokens_a_step >= 8, run
    assert run.speed >= (8 if cost is graphics else 4), run


@pytest.mark.parametrize(("n_past", "least"), [(0, 2.0), (12_000, 1.3), (100_000, 1.0)])
def test_a_rename_on_a_processor_gains_less_the_deeper_it_lies(n_past: int, least: float) -> None:
    run = rename(LengthPolicy(), processor, n_past=n_past)
    assert run.speed >= least, run  # seen: 2.4, 1.6 and 1.07


@pytest.mark.parametrize("machine", [{}, {"noise": 0.1, "hiccups": 0.02}, {"noise": 0.3, "hiccups": 0.05}])
def test_new_code_settles_without_drafts_where_rows_are_dear(machine: dict[str, float]) -> None:
    run = new_code(LengthPolicy(), no_amortisation, **machine)
    later = run.lengths[30:]
    assert run.speed >= 0.97, run  # seen: 0.976 to 0.982
    assert all(length <= 1 for length in later), run
    assert sum(later) <= len(later) / 5, run


@pytest.mark.parametrize("cost", [graphics, kernels, processor])
def test_new_code_is_never_slower(cost: Cost) -> None:
    for n_past in (0, 12_000, 100_000):
        assert new_code(LengthPolicy(), cost, n_past).speed >= 0.97


def test_drafts_come_back_when_they_pay_again() -> None:
    policy = LengthPolicy()
    for _ in range(3):
        new_code(policy, processor)
    run = rename(policy, processor)
    assert run.speed >= 2.0, run  # seen: 2.3


def test_a_rename_before_does_not_make_new_code_slower() -> None:
    policy = LengthPolicy()
    rename(policy, processor)
    run = new_code(policy, processor)
    assert run.speed >= 0.97, run


@pytest.mark.slow
@pytest.mark.parametrize("cost", [graphics, processor, no_amortisation])
@pytest.mark.parametrize(("before", "after"), [(1.0, 3.0), (3.0, 1.0)])
def test_a_load_that_comes_or_goes_does_not_make_drafts_lose(cost: Cost, before: float, after: float) -> None:
    """Timings of another load say nothing about batch_size, and drafts go on to pay where they did."""

    class Loaded(LengthPolicy):
        decodes = 0

        def learn_cost(self, batch_size: int, seconds: float, n_past: int) -> None:
            self.decodes += 1
            super().learn_cost(batch_size, seconds * (before if self.decodes < 60 else after), n_past)

    # Seen: 10.0 to 11.4, 1.66 to 1.70 and 0.95 to 0.99 times for the rename; 0.97 to 1.3 for new code.
    least = {graphics: 6.0, processor: 1.4, no_amortisation: 0.92}[cost]
    assert rename(Loaded(), cost, 12_000).speed >= least
    assert new_code(Loaded(), cost, 12_000).speed >= 0.96


def test_a_single_hiccup_changes_little() -> None:
    policy = taught(processor, (1_000,), drafted=8, accepted=5)
    before = policy.length(1_000, 16)
    policy.learn_cost(before + 1, 1.0, 1_000)
    policy.learn_outcome(before, min(before, 5))
    assert before
    assert abs(policy.length(1_000, 16) - before) <= 1
