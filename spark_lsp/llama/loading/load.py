"""Opens a model with a context that fits: plans from free memory, then falls back step by step until llama.cpp agrees.

What worked on a GPU is remembered and tried first. At the end stands the processor, with one plain sentence.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.errors import ModelUnusable
from spark_lsp.llama.loading.build import SLOW_KERNELS, Device, offload_devices
from spark_lsp.llama.loading.cache_shape import kv_values_per_token, state_bytes
from spark_lsp.llama.loading.devices import list_devices
from spark_lsp.llama.loading.fit import ContextPlan, FallbackStep, fallback_steps, known_good_step, plan_of
from spark_lsp.llama.loading.gguf_model import GgufModel, check_file
from spark_lsp.llama.loading.kernel_check import fast_kernels_work
from spark_lsp.llama.loading.known_good import KnownGood, KnownGoodStore, known_good_path
from spark_lsp.llama.loading.memory import GPU_MARGIN_BYTES, FreeMemory, ModelShape, Requested, available_bytes
from spark_lsp.llama.loading.memory_estimate import compute_bytes, native_layers
from spark_lsp.llama.loading.native import BufferSizes

__all__ = ["ContextPlan", "Opened", "open_model", "shape_of"]

C = TypeVar("C")

_NUMBER: Final = re.compile(r"\d+(\.\d+)?")
_NO_SCALING: Final = frozenset({"", "none"})
_log = logging.getLogger("spark_lsp.llama")


@dataclass(frozen=True, slots=True)
class Opened(Generic[C]):
    """A loaded model, its context, what that was made with, and whole sentences for the user."""

    model: GgufModel
    context: C
    plan: ContextPlan
    notes: tuple[str, ...]


class ModelLoader(Protocol):
    """How a model is loaded; ``GgufModel`` itself, or a stand-in."""

    def __call__(self, path: str, *, gpu_layers: int, vocab_only: bool) -> GgufModel:
        """Load, or raise ModelMissing or ModelUnusable."""
        ...


def open_model(
    launch: EngineLaunch,
    make: Callable[[GgufModel, ContextPlan], C],
    *,
    devices: Callable[[], Sequence[Device]] = list_devices,
    available: Callable[[], int] = available_bytes,
    load: ModelLoader | None = None,
    estimate: Callable[[str, ContextPlan, int], tuple[int, int] | None] = compute_bytes,
    points: KnownGoodStore | None = None,
) -> Opened[C]:
    """Open the best set-up that the machine holds.

    ``make`` creates the context, or raises ModelUnusable; it decodes once too, because a driver that ends the process
    does so at the first decode, and only until ``make`` returns is such an end noted and avoided the next time.

    Raises:
        ModelMissing, ModelUnusable: the model cannot be used, or memory does not even hold its smallest context.
    """
    if load is None:
        check_file(launch.model_path)
        is_fast = fast_kernels_work(launch.model_path)
        load = partial(GgufModel, extra_buffers=is_fast)
        opened = open_model(
            launch, make, devices=devices, available=available, load=load, estimate=estimate, points=points
        )
        return opened if is_fast else replace(opened, notes=(*opened.notes, SLOW_KERNELS))
    ram_bytes = available()  # before loading: weights that are copied count as used afterwards
    asked = Requested(launch.context_tokens, launch.gpu_layers, launch.kv_type, launch.memory_limit_bytes)
    gpus = offload_devices(devices()) if launch.gpu_layers != 0 else ()
    path = launch.model_path
    if gpus:
        gpu = _Gpu(launch, gpus, points or KnownGoodStore(known_good_path()))
        return _open_with_gpu(gpu, asked, ram_bytes, make, load, estimate)
    model = load(path, gpu_layers=0, vocab_only=False)
    try:
        shape = shape_of(model)
        if not launch.is_named_size and shape.trained_tokens > 0:  # a processor reads so far for nobody's pleasure
            asked = replace(asked, prompt_tokens=min(asked.prompt_tokens, shape.trained_tokens))
        opened = _open_first_fitting(
            fallback_steps(shape, FreeMemory(ram_bytes), asked), shape, _Loaded(load, path, model), make
        )
    except BaseException:
        model.close()
        raise
    if launch.gpu_layers > 0:
        note = "The model runs on the processor because llama.cpp finds no GPU that it can use."
        return replace(opened, notes=(*opened.notes, note))
    return opened


def shape_of(model: GgufModel) -> ModelShape:
    """Read from a model's metadata what planning needs."""
    heads = max(model.number("attention.head_count", 1), 1)
    return ModelShape(
        weights_bytes=_weights_bytes(model),
        layers=model.number("block_count", 0),
        kv_values_per_token=kv_values_per_token(model),
        head_values=model.number("attention.key_length", model.number("embedding_length", 0) // heads),
        vocabulary_size=model.vocabulary.size,
        trained_tokens=model.trained_context_tokens,
        architecture=model.architecture,
        is_scaled=_is_scaled(model),
        heads=model.number("attention.head_count", 0),
        state_bytes=state_bytes(model),
    )


class _Loaded:
    """The model that is in memory now, and how many of its layers are on the GPU."""

    def __init__(self, load: ModelLoader, path: str, model: GgufModel | None = None) -> None:
        self._load = load
        self._path = path
        self._model = model
        self._layers = 0

    def with_layers(self, plan: ContextPlan, layers: int) -> GgufModel:
        """Return the model with a plan's layers on the GPU, loading it again where it has others."""
        if self._model is not None and self._layers != plan.gpu_layers:
            self.close()
        if self._model is None:
            BufferSizes.reset()
            native = native_layers(plan, layers) if plan.on_gpu else 0
            self._model = self._load(self._path, gpu_layers=native, vocab_only=False)
            self._layers = plan.gpu_layers
        return self._model

    def close(self) -> None:
        """Give the model back."""
        model, self._model = self._model, None
        if model is not None:
            model.close()


@dataclass(frozen=True, slots=True)
class _Gpu:
    """The devices that layers may go to, and what is remembered of them."""

    launch: EngineLaunch
    devices: tuple[Device, ...]
    points: KnownGoodStore

    @property
    def free_bytes(self) -> int:
        """All that is free, margins included."""
        return sum(device.free_bytes for device in self.devices)

    def key(self, model: GgufModel) -> str:
        """Name a model, the devices, the settings and the build: what is remembered holds for equal ones."""
        machine = [(device.name, device.description, device.total_bytes) for device in self.devices]
        wanted = msgspec.structs.replace(self.launch, model_path="", threads=0, idle_minutes=0.0)
        identity = msgspec.json.encode((model.fingerprint(), machine, wanted, version("llama-cpp-python")))
        return hashlib.blake2b(identity, digest_size=16).hexdigest()

    def memory(self, ram_bytes: int) -> FreeMemory:
        """Return what is free, with a margin on each device."""
        return FreeMemory(
            ram_bytes,
            gpu_bytes=sum(max(0, device.free_bytes - GPU_MARGIN_BYTES) for device in self.devices),
            has_gpu=True,
            is_shared=any(device.is_shared for device in self.devices),
        )


def _open_with_gpu(
    gpu: _Gpu,
    asked: Requested,
    ram_bytes: int,
    make: Callable[[GgufModel, ContextPlan], C],
    load: ModelLoader,
    estimate: Callable[[str, ContextPlan, int], tuple[int, int] | None],
) -> Opened[C]:
    path = gpu.launch.model_path
    model = load(path, gpu_layers=0, vocab_only=True)
    try:
        shape, key = shape_of(model), gpu.key(model)
    finally:
        model.close()
    free, points = gpu.memory(ram_bytes), gpu.points
    deadly = points.deadly(key)
    planned = fallback_steps(shape, free, asked)
    steps = _alive(planned, deadly)
    point = points.recall(key, gpu.free_bytes)
    known = _remembered(shape, free, asked, point) if point is not None else None
    if known is not None and known.plan.gpu_layers not in deadly:
        steps.insert(0, known)
    elif steps and steps[0].plan.on_gpu:
        plan = steps[0].plan
        points.trying(key, plan.gpu_layers)  # the driver wakes here already
        measured = estimate(path, plan, native_layers(plan, shape.layers))
        planned = fallback_steps(shape, replace(free, gpu_work_bytes=measured[0] if measured is not None else 0), asked)
        steps = _alive(planned, deadly)
    loaded = _Loaded(load, path)
    try:
        opened = _open_first_fitting(steps, shape, loaded, make, partial(_note, gpu.points, key))
    except BaseException as error:
        loaded.close()
        if isinstance(error, Exception):
            gpu.points.survived(key)
        raise
    gpu.points.keep(key, _point_of(opened.plan, gpu.free_bytes))
    note = _gpu_note(gpu, opened.plan, planned, deadly)
    return replace(opened, notes=(*opened.notes, note) if note else opened.notes)


def _open_first_fitting(
    steps: Sequence[FallbackStep],
    shape: ModelShape,
    loaded: _Loaded,
    make: Callable[[GgufModel, ContextPlan], C],
    note: Callable[[int | None], None] = lambda _layers: None,
) -> Opened[C]:
    """Try each step until one holds. ``note`` is told the GPU layers before a try, and None when it has failed."""
    error = ModelUnusable(
        "The GPU's driver has crashed the engine before, and the processor has too little memory for the model.",
        fix="Set engine.gpuLayers to a smaller number, or choose a smaller model.",
    )
    refused: set[int] = set()
    for step in steps:
        plan = step.plan
        if plan.gpu_layers in refused:
            continue
        if plan.on_gpu:
            note(plan.gpu_layers)
        model: GgufModel | None = None
        try:
            model = loaded.with_layers(plan, shape.layers)
            return Opened(model, make(model, plan), plan, step.notes)
        except ModelUnusable as failure:
            _log.warning("%s layers on the GPU, %s tokens: %s", plan.gpu_layers, plan.prompt_tokens, failure)
            error = failure
            if model is None:  # without the weights a smaller context is no help
                refused.add(plan.gpu_layers)
            if plan.on_gpu:
                note(None)
    raise error


def _alive(steps: Sequence[FallbackStep], deadly: frozenset[int]) -> list[FallbackStep]:
    return [step for step in steps if step.plan.gpu_layers not in deadly]


def _note(points: KnownGoodStore, key: str, gpu_layers: int | None) -> None:
    if gpu_layers is None:
        points.survived(key)
    else:
        points.trying(key, gpu_layers)


def _remembered(shape: ModelShape, free: FreeMemory, asked: Requested, point: KnownGood) -> FallbackStep | None:
    plan = plan_of(shape, gpu_layers=point.gpu_layers, kv_type=point.kv_type, prompt_tokens=point.prompt_tokens)
    return known_good_step(shape, free, asked, plan)


def _point_of(plan: ContextPlan, free_bytes: int) -> KnownGood:
    return KnownGood(plan.gpu_layers, plan.kv_type, plan.prompt_tokens, free_bytes)


def _gpu_note(gpu: _Gpu, plan: ContextPlan, planned: Sequence[FallbackStep], deadly: frozenset[int]) -> str:
    """Say why the GPU does less than it might; empty when it does not."""
    if plan.on_gpu:
        fewer = any(layers > plan.gpu_layers for layers in deadly)
        return "Fewer layers run on the GPU because more of them crashed the engine before." if fewer else ""
    free = f"{gpu.free_bytes // 1024**2:,} MiB"
    if deadly:
        return "The model runs on the processor because the GPU's driver crashed the engine before."
    if any(step.plan.on_gpu for step in planned):
        return f"The model runs on the processor because the GPU could not load it with {free} free."
    return f"The model runs on the processor because the GPU has too little free memory ({free})."


def _weights_bytes(model: GgufModel) -> int:
    """Return the size of a model's file, or of all its parts where it is split."""
    count = model.text("split.count")
    if not count.isdecimal() or int(count) < 2:
        return model.size_bytes
    path = Path(model.path)
    parts = path.parent.glob(f"*-of-{int(count):05}.gguf")
    stem = path.name[: -len("-00001-of-00002.gguf")]
    return sum(part.stat().st_size for part in parts if part.name.startswith(stem)) or model.size_bytes


def _is_scaled(model: GgufModel) -> bool:
    """Whether the metadata already stretches positions, by a kind or by a factor other than 1."""
    name = f"{model.architecture}.rope"
    if model.text(f"{name}.scaling.type") not in _NO_SCALING:
        return True
    factors = (model.text(f"{name}.scaling.factor"), model.text(f"{name}.scale_linear"))
    return any(_NUMBER.fullmatch(factor) and float(factor) not in {0.0, 1.0} for factor in factors)
