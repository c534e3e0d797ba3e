"""How large a context is planned, where its layers run, and what the user is told."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.errors import ModelUnusable
from spark_lsp.llama.loading.fit import (
    MIN_CONTEXT,
    FallbackStep,
    ceiling,
    cells_for,
    compute_threads,
    fallback_steps,
    halved,
    known_good_step,
    need_bytes,
    plan_of,
)
from spark_lsp.llama.loading.memory import FreeMemory, ModelShape, Requested, available_bytes

MIB = 1024**2
GIB = 1024**3

SHAPE = ModelShape(  # a 1.5B Qwen2.5-Coder: 28 KiB of f16 cache for a token
    weights_bytes=GIB,
    layers=28,
    kv_values_per_token=14 * 1024,
    head_values=128,
    vocabulary_size=151_936,
    trained_tokens=131_072,
    architecture="llama",
    is_scaled=False,
    heads=12,
)
PLENTY = FreeMemory(64 * GIB)
GPU = FreeMemory(64 * GIB, gpu_bytes=80 * GIB, has_gpu=True)
ASKED = Requested(16_384)
QWEN = replace(SHAPE, architecture="qwen2", trained_tokens=32_768)


def first(shape: ModelShape = SHAPE, free: FreeMemory = PLENTY, asked: Requested = ASKED) -> FallbackStep:
    return fallback_steps(shape, free, asked)[0]


def test_what_fits_is_given_without_a_word() -> None:
    step = first()
    assert (step.plan.prompt_tokens, step.plan.cells, step.notes) == (16_384, 20_480, ())
    assert (step.plan.kv_type, step.plan.on_gpu, step.plan.gpu_layers) == ("f16", False, 0)


def test_the_ceiling_is_given_on_a_processor_too() -> None:
    plan = first(asked=Requested(131_072)).plan
    assert (plan.prompt_tokens, plan.cells, plan.yarn_factor) == (131_072, 163_840, 1.0)


def test_the_trained_context_is_a_limit() -> None:
    step = first(replace(SHAPE, trained_tokens=8192))
    assert step.plan.prompt_tokens == 8192
    assert step.notes == ("The context is 8,192 tokens because the model was trained for no more.",)


def test_half_of_the_free_memory_is_left_to_others() -> None:
    step = first(free=FreeMemory(3 * GIB), asked=Requested(131_072))
    cache = step.plan.cells * 28 * 1024
    assert 0.7 * GIB < cache <= GIB
    assert step.plan.cells % 256 == 0
    assert step.notes == (
        f"The context is {step.plan.prompt_tokens:,} tokens because half of the free memory holds no more.",
    )


def test_half_is_no_reason_to_refuse() -> None:
    tight = need_bytes(SHAPE, PLENTY, plan_of(SHAPE, gpu_layers=0, kv_type="f16", prompt_tokens=2048))[1]
    assert first(free=FreeMemory(tight + 256 * MIB)).plan.prompt_tokens == MIN_CONTEXT


def test_the_users_limit_is_named_and_used_whole() -> None:
    asked = Requested(131_072, memory_limit_bytes=2 * GIB)
    step = first(free=FreeMemory(3 * GIB), asked=asked)
    assert step.plan.cells > first(free=FreeMemory(3 * GIB), asked=Requested(131_072)).plan.cells
    assert "engine.memoryLimitBytes allows no more" in step.notes[0]
    assert sum(need_bytes(SHAPE, PLENTY, step.plan)) <= 2 * GIB


def test_a_limit_above_what_is_free_does_not_bind() -> None:
    step = first(free=FreeMemory(2 * GIB), asked=Requested(131_072, memory_limit_bytes=64 * GIB))
    assert step.notes[0].endswith("because free memory holds no more.")


@pytest.mark.parametrize("limit", [0, 1], ids=["free", "limit"])
def test_too_little_for_the_smallest_is_an_error_with_numbers(limit: int) -> None:
    free = FreeMemory(GIB if limit == 0 else 64 * GIB)
    with pytest.raises(ModelUnusable, match=r"needs at least 1,202 MiB, and [\d,]+ MiB are (free|allowed)") as error:
        fallback_steps(SHAPE, free, replace(ASKED, memory_limit_bytes=limit))
    assert ("allowed" in str(error.value)) == bool(limit)
    assert error.value.fix


def test_a_model_of_a_tiny_context_is_taken_as_it_is() -> None:
    plan = first(replace(QWEN, trained_tokens=512)).plan
    assert (plan.prompt_tokens, plan.yarn_factor) == (2048, 4.0)
    plan = first(replace(SHAPE, trained_tokens=512)).plan
    assert (plan.prompt_tokens, plan.cells) == (512, 768)


def test_a_model_that_does_not_say_is_believed() -> None:
    plan = first(replace(SHAPE, trained_tokens=0), asked=Requested(500_000), free=FreeMemory(1024 * GIB)).plan
    assert (plan.prompt_tokens, plan.yarn_factor) == (500_000, 1.0)


@pytest.mark.parametrize(
    ("asked", "shape", "tokens", "factor"),
    [
        (32_768, QWEN, 32_768, 1.0),
        (32_769, QWEN, 32_769, 2.0),
        (65_536, QWEN, 65_536, 2.0),
        (131_072, QWEN, 131_072, 4.0),
        (1_000_000, QWEN, 131_072, 4.0),
        (131_072, replace(QWEN, architecture="qwen3"), 131_072, 4.0),
        (131_072, replace(QWEN, architecture="llama"), 32_768, 1.0),
        (131_072, replace(QWEN, is_scaled=True), 32_768, 1.0),
    ],
)
def test_positions_are_stretched_only_beyond_what_was_trained(
    asked: int, shape: ModelShape, tokens: int, factor: float
) -> None:
    step = first(shape, asked=Requested(asked))
    assert (step.plan.prompt_tokens, step.plan.yarn_factor) == (tokens, factor)
    assert step.plan.native_tokens == 32_768
    assert any("beyond the 32,768 tokens that it was trained for" in note for note in step.notes) == (factor > 1)
    assert ("yarn=1/0" in step.plan.cache_identity) == (factor == 1.0)


def test_memory_that_is_short_leaves_positions_alone() -> None:
    plan = first(QWEN, FreeMemory(3 * GIB), Requested(131_072)).plan
    assert plan.prompt_tokens < 32_768
    assert plan.yarn_factor == 1.0


def test_what_the_cache_means_is_told_apart() -> None:
    plans = [
        plan_of(QWEN, gpu_layers=layers, kv_type=kv_type, prompt_tokens=tokens)
        for layers, kv_type, tokens in ((0, "f16", 4096), (28, "q8_0", 4096), (0, "f16", 40_000), (0, "f16", 131_072))
    ]
    assert len({plan.cache_identity for plan in plans}) == 4
    assert plan_of(QWEN, gpu_layers=0, kv_type="f16", prompt_tokens=8192).cache_identity == plans[0].cache_identity


def test_a_processor_attends_in_the_plain_way_while_the_scores_are_affordable() -> None:
    short, long = first(asked=Requested(16_384)).plan, first(asked=Requested(131_072)).plan
    assert (short.plain_attention, short.ubatch_tokens) == (True, 128)
    assert (long.plain_attention, long.ubatch_tokens) == (False, 256)
    flash = need_bytes(SHAPE, PLENTY, replace(short, plain_attention=False))[1]
    assert need_bytes(SHAPE, PLENTY, short)[1] - flash == 4 * 12 * short.cells * 128
    assert not first(free=GPU).plan.plain_attention
    assert not first(asked=Requested(16_384, kv_type="q8_0")).plan.plain_attention
    assert not first(replace(SHAPE, heads=0)).plan.plain_attention
    tight = first(asked=Requested(16_384, memory_limit_bytes=flash + 50 * MIB)).plan
    assert (tight.prompt_tokens, tight.plain_attention) == (16_384, False)


def test_a_gpu_takes_all_and_keeps_a_packed_cache() -> None:
    step = first(free=GPU)
    assert (step.plan.gpu_layers, step.plan.kv_type, step.plan.ubatch_tokens) == (28, "q8_0", 512)
    assert step.notes == ()
    odd = first(replace(SHAPE, head_values=80), GPU)
    assert odd.plan.kv_type == "f16"
    assert first(free=GPU, asked=replace(ASKED, gpu_layers=0)).plan.gpu_layers == 0
    assert first(free=GPU, asked=replace(ASKED, gpu_layers=7)).plan.gpu_layers == 7
    assert first(free=GPU, asked=replace(ASKED, gpu_layers=700)).plan.gpu_layers == 28


def test_first_the_precise_cache_is_given_up_then_context_then_layers() -> None:
    asked = Requested(65_536, kv_type="f16")
    for gpu_mib, kv_type, layers, whole in (
        (4000, "f16", 28, True),
        (3200, "q8_0", 28, True),
        (2000, "q8_0", 28, False),
        (1100, "q8_0", 21, False),
    ):
        step = first(free=replace(GPU, gpu_bytes=gpu_mib * MIB), asked=asked)
        plan = step.plan
        assert (plan.kv_type, plan.gpu_layers, plan.prompt_tokens == 65_536) == (kv_type, layers, whole), gpu_mib
        assert any("kept as q8_0" in note for note in step.notes) == (kv_type == "q8_0")
        assert any("the GPU's free memory holds no more" in note for note in step.notes) != whole
        assert any(note.startswith("21 of 28 layers run on the GPU") for note in step.notes) == (layers == 21)


def test_the_ladder_goes_down_by_layers_each_with_half_the_context() -> None:
    steps = fallback_steps(SHAPE, GPU, ASKED)
    layers = [(step.plan.gpu_layers, step.plan.prompt_tokens) for step in steps]
    gpu = [(layers, tokens) for layers in (28, 21, 14) for tokens in (16_384, 8192)]
    assert layers == [*gpu, (0, 16_384), (0, 8192), (0, 4096), (0, 2048)]
    assert steps[1].notes == ("The context is 8,192 tokens because the memory for 16,384 was not available.",)
    assert {step.plan.kv_type for step in steps[6:]} == {"f16"}


def test_memory_that_is_shared_is_counted_once() -> None:
    apple = FreeMemory(2 * GIB, gpu_bytes=10 * GIB, has_gpu=True, is_shared=True)
    step = first(free=apple, asked=Requested(131_072))
    assert step.plan.on_gpu
    assert sum(need_bytes(SHAPE, apple, step.plan)) <= 2 * GIB
    assert "because free memory holds no more" in step.notes[0]


def test_what_a_dry_run_measured_is_believed() -> None:
    small = replace(GPU, gpu_bytes=3 * GIB)
    guessed, measured = (
        first(free=free, asked=Requested(131_072)).plan.prompt_tokens
        for free in (small, replace(small, gpu_work_bytes=1536 * MIB))
    )
    assert measured < guessed


def test_a_plan_that_worked_is_taken_again_while_it_fits() -> None:
    plan = plan_of(SHAPE, gpu_layers=21, kv_type="q8_0", prompt_tokens=8192)
    step = known_good_step(SHAPE, GPU, ASKED, plan)
    assert step is not None
    assert step.plan == plan
    assert any("21 of 28" in note for note in step.notes)
    for free, asked, expected in (
        (PLENTY, ASKED, plan),
        (replace(GPU, gpu_bytes=MIB), ASKED, plan),
        (GPU, Requested(4096), plan),
        (GPU, replace(ASKED, kv_type="q4_0"), plan),
        (GPU, replace(ASKED, gpu_layers=4), plan),
        (GPU, ASKED, replace(plan, prompt_tokens=100)),
        (GPU, ASKED, replace(plan, gpu_layers=27)),
    ):
        assert known_good_step(SHAPE, free, asked, expected) is None


SHAPES = st.builds(
    ModelShape,
    weights_bytes=st.integers(0, 40 * GIB),
    layers=st.integers(0, 100),
    kv_values_per_token=st.integers(0, 500_000),
    head_values=st.sampled_from([0, 64, 80, 128]),
    vocabulary_size=st.integers(0, 300_000),
    trained_tokens=st.just(0) | st.integers(1, 300_000),
    architecture=st.sampled_from(["qwen2", "qwen3", "llama", ""]),
    is_scaled=st.booleans(),
    heads=st.integers(0, 64),
)
MEMORIES = st.builds(
    FreeMemory,
    ram_bytes=st.integers(0, 100 * GIB),
    gpu_bytes=st.integers(0, 100 * GIB),
    has_gpu=st.booleans(),
    is_shared=st.booleans(),
    gpu_work_bytes=st.integers(0, 2 * GIB),
)
WISHES = st.builds(
    Requested,
    prompt_tokens=st.integers(1, 1_048_576),
    gpu_layers=st.integers(-1, 120),
    kv_type=st.sampled_from(["auto", "f16", "q8_0", "q4_0"]),
    memory_limit_bytes=st.just(0) | st.integers(1, 100 * GIB),
)


def planned(shape: ModelShape, free: FreeMemory, asked: Requested) -> tuple[tuple[FallbackStep, ...], str]:
    """Plan, or say why not."""
    try:
        return fallback_steps(shape, free, asked), ""
    except ModelUnusable as error:
        return (), str(error)


@given(SHAPES, MEMORIES, WISHES)
def test_no_plan_exceeds_memory_model_or_wish(shape: ModelShape, free: FreeMemory, asked: Requested) -> None:
    steps, refusal = planned(shape, free, asked)
    assert (steps, refusal) == planned(shape, free, asked)
    assert len(re.findall(r"[\d,]+ MiB", refusal)) == (0 if steps else 2)
    assert len(steps) <= 3 * 2 + 20
    for step in steps:
        plan = step.plan
        gpu, ram = need_bytes(shape, free, plan)
        assert not gpu or gpu <= free.gpu_bytes
        assert ram <= free.ram_bytes
        assert not (asked.memory_limit_bytes and gpu + ram > asked.memory_limit_bytes + 1)
        assert not (free.is_shared and gpu + ram > free.ram_bytes)
        assert 0 <= plan.gpu_layers <= max(shape.layers, 1)
        assert plan.on_gpu == (plan.gpu_layers > 0) <= free.has_gpu
        assert 0 < plan.prompt_tokens <= ceiling(shape, asked)
        assert plan.cells == cells_for(plan.prompt_tokens) >= plan.prompt_tokens * 1.25
        assert 1.0 <= plan.yarn_factor <= 4.0
        assert plan.prompt_tokens <= (shape.trained_tokens or 1 << 30) * plan.yarn_factor
        assert all(re.fullmatch(r"[A-Z0-9].*[^.]\.", note) for note in step.notes)
        assert known_good_step(shape, free, asked, plan) is not None
        assert not plan.plain_attention or (plan.kv_type == "f16" and not plan.on_gpu)
    layers = [step.plan.gpu_layers for step in steps]
    assert layers == sorted(layers, reverse=True)
    assert len(set(steps)) == len(steps)


def test_halving_ends() -> None:
    sizes = [32_768]
    while sizes[-1]:
        sizes.append(halved(sizes[-1]))
    assert sizes == [32_768, 16_384, 8192, 4096, 2048, 0]
    assert halved(3000) == 2048
    assert halved(512) == 0


def test_the_machine_is_looked_at() -> None:
    assert available_bytes() > 0
    assert compute_threads(0) >= 1
    assert compute_threads(3) == 3
