"""What a context is made with, and why: pure arithmetic over what the model, the machine and the settings say.

Every reduction becomes a plain sentence for the user. Never allocates and never calls the native library.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

import psutil

from spark_lsp.errors import ModelUnusable
from spark_lsp.llama.loading.memory import (
    ALLOWED,
    CELL_STEP,
    CPU_UBATCH_TOKENS,
    GPU_UBATCH_TOKENS,
    MAX_SCORES_BYTES,
    PLAIN_UBATCH_TOKENS,
    CacheType,
    FreeMemory,
    ModelShape,
    Need,
    Requested,
    available_bytes,
    limits,
    needs,
    scores_bytes,
    stepped,
)

__all__ = [
    "BATCH_TOKENS",
    "ContextPlan",
    "FallbackStep",
    "available_bytes",
    "cells_for",
    "compute_threads",
    "fallback_steps",
    "halved",
    "known_good_step",
    "plan_of",
]

MIN_CONTEXT: Final = 2_048
"""Below this a completion shows the model too little to be worth its memory."""
MIN_GPU_CONTEXT: Final = 4_096
"""Below this a layer on the processor costs less than what the model would not see."""
BATCH_TOKENS: Final = 512

YARN_ARCHITECTURES: Final = frozenset({"qwen2", "qwen3"})
"""Whose makers document YaRN (``docs/internals/engine-measurements.md``); others keep to their trained context."""
MAX_YARN: Final = 4

_SPARE: Final = 4
"""A context has a quarter more cells than one prompt: a new cached prefix is built beside the old one."""
_Q_BLOCK: Final = 32  # quantised caches need heads that are a multiple of this


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextPlan:
    """What a native context is made with."""

    prompt_tokens: int
    """Most tokens that one prompt and its answer may have together; ``cells`` are a quarter more."""
    cells: int
    batch_tokens: int
    ubatch_tokens: int
    kv_type: CacheType
    on_gpu: bool
    gpu_layers: int
    """Layers on the GPU, never more than the model has; those of a model that does not say count as 1."""
    yarn_factor: float
    """1.0 means that positions are left as the model was trained."""
    native_tokens: int
    """What the model was trained for; 0 where it does not say."""
    plain_attention: bool = False
    """Whether attention is computed in the plain way, not llama.cpp's fused one (``docs/decisions/attention.md``)."""

    @property
    def cache_identity(self) -> str:
        """Names all here that changes what cached keys and values mean; belongs into a cache's fingerprint."""
        return f"kv={self.kv_type} yarn={self.yarn_factor:g}/{self.native_tokens if self.yarn_factor > 1 else 0}"


@dataclass(frozen=True, slots=True)
class FallbackStep:
    """A plan, and sentences that say where it gives less than was requested."""

    plan: ContextPlan
    notes: tuple[str, ...]


def fallback_steps(shape: ModelShape, free: FreeMemory, asked: Requested) -> tuple[FallbackStep, ...]:
    """Return the plans to try, best first: all layers on the GPU, 75 %, 50 %, none; each again with half the context.

    Given up first is a cache of full precision, then context, then layers.

    Raises:
        ModelUnusable: memory does not even hold the smallest context on the processor.
    """
    steps: list[FallbackStep] = []
    if free.has_gpu and asked.gpu_layers != 0:
        for layers in _layer_steps(shape, asked):
            steps += _gpu_steps(shape, free, asked, layers)
    tokens = _fitting_tokens(shape, free, asked, 0, _cpu_type(asked))
    if tokens == 0 and not steps:
        raise ModelUnusable(_too_small(shape, free, asked), fix="Close other programs or choose a smaller model.")
    if tokens > 0:
        steps += _with_halves(_step(shape, free, asked, 0, _cpu_type(asked), tokens), shape, asked, most=None)
    return tuple(replace(step, plan=_attending(shape, free, asked, step.plan)) for step in steps)


def plan_of(shape: ModelShape, *, gpu_layers: int, kv_type: CacheType, prompt_tokens: int) -> ContextPlan:
    """Return the plan of a known-good configuration."""
    native = shape.trained_tokens
    is_long = 0 < native < prompt_tokens and _can_stretch(shape)
    return ContextPlan(
        prompt_tokens=prompt_tokens,
        cells=cells_for(prompt_tokens),
        batch_tokens=BATCH_TOKENS,
        ubatch_tokens=GPU_UBATCH_TOKENS if gpu_layers else CPU_UBATCH_TOKENS,
        kv_type=kv_type,
        on_gpu=gpu_layers > 0,
        gpu_layers=gpu_layers,
        # Whole factors, so that a little more or less free memory does not make every cached token another one.
        yarn_factor=float(ceil(prompt_tokens / native)) if is_long else 1.0,
        native_tokens=native,
    )


def sized(plan: ContextPlan, prompt_tokens: int) -> ContextPlan:
    """Return the plan of another context of the same model, beside the first one."""
    return replace(plan, prompt_tokens=prompt_tokens, cells=cells_for(prompt_tokens))


def known_good_step(shape: ModelShape, free: FreeMemory, asked: Requested, plan: ContextPlan) -> FallbackStep | None:
    """Return a plan that worked before, with its notes; None when the request or the free memory changed."""
    types = {_cpu_type(asked)}
    if plan.on_gpu:
        types = {_gpu_type(shape, asked), *(("q8_0",) if asked.kv_type == "f16" else ())}
    steps = _layer_steps(shape, asked) if free.has_gpu else []
    if plan.kv_type not in types or plan.gpu_layers not in {*steps, 0}:
        return None
    least = min(MIN_CONTEXT, ceiling(shape, asked))
    if not least <= plan.prompt_tokens <= _fitting_tokens(shape, free, asked, plan.gpu_layers, plan.kv_type):
        return None
    step = _step(shape, free, asked, plan.gpu_layers, plan.kv_type, plan.prompt_tokens)
    return replace(step, plan=_attending(shape, free, asked, step.plan))


def ceiling(shape: ModelShape, asked: Requested) -> int:
    """Return the longest prompt that the settings ask for and the model can take, whatever memory says."""
    tokens = max(asked.prompt_tokens, MIN_CONTEXT)
    if shape.trained_tokens <= 0:
        return tokens
    return min(tokens, shape.trained_tokens * (MAX_YARN if _can_stretch(shape) else 1))


def need_bytes(shape: ModelShape, free: FreeMemory, plan: ContextPlan) -> tuple[int, int]:
    """Return what a plan takes of the GPU's and of the machine's own memory."""
    on_gpu, in_ram = needs(shape, free, plan.gpu_layers, plan.kv_type)
    scores = scores_bytes(shape, plan.cells) if plan.plain_attention else 0
    return ceil(on_gpu.at(plan.cells)), ceil(in_ram.at(plan.cells)) + scores


def cells_for(prompt_tokens: int) -> int:
    """Return the cells of a context for such prompts: a quarter more, in llama.cpp's steps."""
    cells = prompt_tokens + -(-prompt_tokens // _SPARE)
    return -(-cells // CELL_STEP) * CELL_STEP


def halved(tokens: int) -> int:
    """Return the next smaller context to try; 0 when there is none."""
    smaller = stepped(tokens // 2)
    if smaller >= MIN_CONTEXT:
        return smaller
    return MIN_CONTEXT if tokens > MIN_CONTEXT else 0


def compute_threads(asked: int) -> int:
    """Return how many threads compute: all real cores, less one for the editor when there are more than two."""
    if asked > 0:
        return asked
    logical = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 0
    logical = logical or psutil.cpu_count() or 1
    cores = min(psutil.cpu_count(logical=False) or logical, logical)
    return cores - 1 if cores > 2 else cores


def _gpu_steps(shape: ModelShape, free: FreeMemory, asked: Requested, layers: int) -> Iterator[FallbackStep]:
    kv_type = _gpu_type(shape, asked)
    tokens = _fitting_tokens(shape, free, asked, layers, kv_type)
    if kv_type == "f16" and tokens < ceiling(shape, asked) and _takes_quantised(shape):
        packed = _fitting_tokens(shape, free, asked, layers, "q8_0")
        if packed > tokens:
            kv_type, tokens = "q8_0", packed
    if tokens >= min(MIN_GPU_CONTEXT, ceiling(shape, asked)):
        yield from _with_halves(_step(shape, free, asked, layers, kv_type, tokens), shape, asked, most=1)


def _with_halves(
    step: FallbackStep, shape: ModelShape, asked: Requested, *, most: int | None
) -> Iterator[FallbackStep]:
    """Yield a step, and it again with half the context, as often as there is a half or ``most`` times."""
    yield step
    whole, count = step.plan, 0
    tokens = halved(whole.prompt_tokens)
    while tokens and (most is None or count < most):
        plan = plan_of(shape, gpu_layers=whole.gpu_layers, kv_type=whole.kv_type, prompt_tokens=tokens)
        short = f"The context is {tokens:,} tokens because the memory for {whole.prompt_tokens:,} was not available."
        yield FallbackStep(plan, (short, *_other_notes(shape, asked, plan)))
        tokens, count = halved(tokens), count + 1


def _step(
    shape: ModelShape, free: FreeMemory, asked: Requested, layers: int, kv_type: CacheType, tokens: int
) -> FallbackStep:
    plan = plan_of(shape, gpu_layers=layers, kv_type=kv_type, prompt_tokens=tokens)
    notes: list[str] = []
    if tokens < ceiling(shape, asked):
        notes.append(f"The context is {tokens:,} tokens because {_why_short(shape, free, asked, plan)} no more.")
    elif tokens < asked.prompt_tokens:
        most = "the model was trained for" if plan.yarn_factor == 1.0 else "the model can be stretched to"
        notes.append(f"The context is {tokens:,} tokens because {most} no more.")
    return FallbackStep(plan, (*notes, *_other_notes(shape, asked, plan)))


def _other_notes(shape: ModelShape, asked: Requested, plan: ContextPlan) -> Iterator[str]:
    if plan.yarn_factor > 1.0:
        yield (
            f"The model's context goes beyond the {plan.native_tokens:,} tokens that it was trained for, which can "
            f"make its text worse; set context.maxTokens = {plan.native_tokens} to avoid that."
        )
    if plan.on_gpu and plan.gpu_layers < max(_layer_steps(shape, asked)):
        yield f"{plan.gpu_layers} of {shape.layers} layers run on the GPU because its free memory holds no more."
    if asked.kv_type == "f16" and plan.kv_type == "q8_0":
        yield "The cache is kept as q8_0 because the GPU's free memory does not hold it as f16."


def _attending(shape: ModelShape, free: FreeMemory, asked: Requested, plan: ContextPlan) -> ContextPlan:
    """Return a plan with plain attention where it runs on the processor and memory is left for its scores."""
    scores = scores_bytes(shape, plan.cells)
    if plan.on_gpu or plan.kv_type != "f16" or not 0 < scores <= MAX_SCORES_BYTES:
        return plan
    left = min(limit.budget - limit.need.at(plan.cells) for limit in limits(shape, free, asked, 0, plan.kv_type))
    return replace(plan, plain_attention=True, ubatch_tokens=PLAIN_UBATCH_TOKENS) if scores <= left else plan


def _layer_steps(shape: ModelShape, asked: Requested) -> list[int]:
    """Numbers of layers on the GPU to try, most first."""
    layers = max(shape.layers, 1)
    top = layers if asked.gpu_layers < 0 else min(asked.gpu_layers, layers)
    return sorted({top, top * 3 // 4, top // 2} - {0}, reverse=True)


def _gpu_type(shape: ModelShape, asked: Requested) -> CacheType:
    if asked.kv_type != "auto":
        return asked.kv_type
    return "q8_0" if _takes_quantised(shape) else "f16"


def _cpu_type(asked: Requested) -> CacheType:
    return "f16" if asked.kv_type == "auto" else asked.kv_type  # on the processor only f16 has fast attention


def _takes_quantised(shape: ModelShape) -> bool:
    return shape.head_values % _Q_BLOCK == 0


def _can_stretch(shape: ModelShape) -> bool:
    return shape.architecture in YARN_ARCHITECTURES and not shape.is_scaled


def _fitting_tokens(shape: ModelShape, free: FreeMemory, asked: Requested, gpu_layers: int, kv_type: CacheType) -> int:
    """Return the longest prompt that memory holds, up to the ceiling; 0 where the smallest is too much.

    On the processor half of what the weights leave free is left to other programs, unless the user has set a limit.
    """
    most = ceiling(shape, asked)
    least = min(MIN_CONTEXT, most)
    bounds = limits(shape, free, asked, gpu_layers, kv_type)
    held = min(bound.cells for bound in bounds)
    wanted = held
    if gpu_layers == 0 and asked.memory_limit_bytes <= 0:
        (ram,) = bounds
        left = max(0, int(ram.budget - ram.need.fixed))
        wanted = min(held, replace(ram, budget=left // 2, need=Need(0, ram.need.per_cell)).cells)
    tokens = min(most, stepped(wanted * _SPARE // (_SPARE + 1)))
    if tokens >= least:
        return tokens
    return least if cells_for(least) <= held else 0


def _why_short(shape: ModelShape, free: FreeMemory, asked: Requested, plan: ContextPlan) -> str:
    if not plan.on_gpu and asked.memory_limit_bytes <= 0:
        return "half of the free memory holds"
    bounds = limits(shape, free, asked, plan.gpu_layers, plan.kv_type)
    return min(bounds, key=lambda bound: bound.cells).why


def _too_small(shape: ModelShape, free: FreeMemory, asked: Requested) -> str:
    kv_type = _cpu_type(asked)
    limit = min(limits(shape, free, asked, 0, kv_type), key=lambda limit: limit.budget)
    least = limit.need.at(cells_for(min(MIN_CONTEXT, ceiling(shape, asked))))
    allowed = "are allowed by engine.memoryLimitBytes" if limit.why == ALLOWED else "are free"
    return (
        f"There is not enough memory for the model: it needs at least {_mib(least):,} MiB, "
        f"and {_mib(max(0, limit.budget)):,} MiB {allowed}."
    )


def _mib(size: float) -> int:
    return ceil(size / 1024**2)
