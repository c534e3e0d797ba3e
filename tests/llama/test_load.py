"""Opening a model on simulated devices: which fallback step is taken, what is remembered, what the user is told."""

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spark_lsp.engine.wire.frames import EngineLaunch
from spark_lsp.errors import ModelMissing, ModelUnusable
from spark_lsp.llama.loading.build import Device
from spark_lsp.llama.loading.fit import ContextPlan, fallback_steps, plan_of
from spark_lsp.llama.loading.gguf_model import GgufModel
from spark_lsp.llama.loading.known_good import KnownGood, KnownGoodStore
from spark_lsp.llama.loading.load import Opened, open_model, shape_of
from spark_lsp.llama.loading.memory import FreeMemory, Requested
from spark_lsp.llama.loading.memory_estimate import compute_bytes, context_params, native_layers
from spark_lsp.llama.loading.native import L
from tests.llama.gguf_files import SHIPPED, long_context

MIB = 1024**2
GIB = 1024**3
LAUNCH = EngineLaunch(model_path="a.gguf", context_tokens=16_384)
METADATA = {
    "general.architecture": "qwen2",
    "qwen2.block_count": "28",
    "qwen2.embedding_length": "1536",
    "qwen2.attention.head_count": "12",
    "qwen2.attention.head_count_kv": "2",
    "qwen2.context_length": "32768",
}
LAYERS = (-1, 21, 14)  # as llama.cpp counts


class FakeModel(GgufModel):
    """Metadata without a file."""

    def __init__(self, metadata: dict[str, str], path: str = "a.gguf", size_bytes: int = GIB) -> None:
        self.path, self.size_bytes = path, size_bytes
        self.vocabulary: Any = SimpleNamespace(size=151_936)
        self.closed = False
        self._metadata = metadata
        self._lists = {}

    def text(self, key: str) -> str:
        return self._metadata.get(key, "")

    def fingerprint(self) -> str:
        return "f"

    def close(self) -> None:
        self.closed = True


@dataclass
class Machine:
    """A machine that refuses what it is told to, and what was tried on it."""

    folder: Path
    ram: int = 32 * GIB
    gpus: tuple[Device, ...] = ()
    can_load: Callable[[int], bool] = lambda _layers: True
    can_make: Callable[[ContextPlan], bool] = lambda _plan: True
    metadata: dict[str, str] = field(default_factory=lambda: METADATA)
    measured: tuple[int, int] | None = None
    loads: list[int] = field(default_factory=list)
    contexts: list[tuple[int, int]] = field(default_factory=list)
    dry_runs: int = 0
    models: list[FakeModel] = field(default_factory=list)

    @property
    def points(self) -> KnownGoodStore:
        return KnownGoodStore(self.folder / "cache" / "points.json")

    def load(self, path: str, *, gpu_layers: int, vocab_only: bool) -> GgufModel:
        if not vocab_only:
            self.loads.append(gpu_layers)
            if not self.can_load(gpu_layers):
                raise ModelUnusable("The model cannot be loaded.")
        self.models.append(FakeModel(self.metadata, path))
        return self.models[-1]

    def make(self, _model: GgufModel, plan: ContextPlan) -> str:
        self.contexts.append((plan.gpu_layers, plan.prompt_tokens))
        if not self.can_make(plan):
            raise ModelUnusable("llama.cpp says no.")
        return "context"

    def estimate(self, _path: str, _plan: ContextPlan, _layers: int) -> tuple[int, int] | None:
        self.dry_runs += 1
        return self.measured

    def open(self, launch: EngineLaunch = LAUNCH) -> Opened[str]:
        self.loads.clear()
        self.contexts.clear()
        opened = open_model(
            launch,
            self.make,
            devices=lambda: (CPU, *self.gpus),
            available=lambda: self.ram,
            load=self.load,
            estimate=self.estimate,
            points=self.points,
        )
        assert not opened.model.closed  # type: ignore[attr-defined]
        return opened

    def all_closed_but(self, opened: Opened[str] | None) -> bool:
        return all(model.closed != (opened is not None and model is opened.model) for model in self.models)


CPU = Device(name="CPU", description="x", kind="cpu", backend="CPU", free_bytes=32 * GIB, total_bytes=32 * GIB)


def card(free_mib: int, kind: Any = "gpu", backend: str = "CUDA", number: int = 0) -> Device:
    return Device(
        name=f"{backend}{number}",
        description="A card",
        kind=kind,
        backend=backend,
        free_bytes=free_mib * MIB,
        total_bytes=24 * GIB,
    )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_a_gpu_the_model_is_loaded_once_and_nothing_is_written(machine: Machine) -> None:
    opened = machine.open()
    assert (machine.loads, machine.contexts, machine.dry_runs) == ([0], [(0, 16_384)], 0)
    assert (opened.plan.kv_type, opened.plan.on_gpu, opened.context, opened.notes) == ("f16", False, "context", ())
    assert list(machine.folder.iterdir()) == []
    assert machine.all_closed_but(opened)


def test_gpu_layers_without_a_gpu_are_told(machine: Machine) -> None:
    opened = machine.open(msgspec.structs.replace(LAUNCH, gpu_layers=12))
    assert opened.notes == ("The model runs on the processor because llama.cpp finds no GPU that it can use.",)
    assert machine.loads == [0]


def test_on_the_processor_the_context_is_halved_until_it_is_made(machine: Machine) -> None:
    machine.can_make = lambda plan: plan.prompt_tokens <= 4096
    opened = machine.open()
    assert machine.loads == [0]
    assert [tokens for _, tokens in machine.contexts] == [16_384, 8192, 4096]
    assert opened.notes == ("The context is 4,096 tokens because the memory for 16,384 was not available.",)


def test_a_gpu_with_room_takes_all(machine: Machine) -> None:
    machine.gpus = (card(20_000),)
    opened = machine.open()
    assert (machine.loads, machine.contexts, machine.dry_runs) == ([-1], [(28, 16_384)], 1)
    assert (opened.plan.kv_type, opened.plan.on_gpu, opened.notes) == ("q8_0", True, ())
    assert machine.all_closed_but(opened)


def test_no_layers_asked_for_is_no_look_at_the_gpu(machine: Machine) -> None:
    machine.gpus = (card(20_000),)
    opened = machine.open(msgspec.structs.replace(LAUNCH, gpu_layers=0))
    assert (opened.plan.on_gpu, opened.notes, machine.dry_runs) == (False, (), 0)


def test_a_refused_load_costs_no_second_try_with_the_same_layers(machine: Machine) -> None:
    machine.gpus = (card(20_000),)
    machine.can_load = lambda layers: layers in {14, 0}
    opened = machine.open()
    assert machine.loads == [-1, 21, 14]
    assert opened.plan.gpu_layers == 14
    assert any(note.startswith("14 of 28 layers run on the GPU") for note in opened.notes)
    assert machine.all_closed_but(opened)


def test_each_step_is_tried_with_half_the_context_and_the_processor_comes_last(machine: Machine) -> None:
    machine.gpus = (card(20_000),)
    machine.can_make = lambda plan: not plan.on_gpu
    opened = machine.open()
    assert machine.loads == [*LAYERS, 0]
    assert machine.contexts == [(layers, tokens) for layers in (28, 21, 14) for tokens in (16_384, 8192)] + [
        (0, 16_384)
    ]
    assert opened.notes == ("The model runs on the processor because the GPU could not load it with 20,000 MiB free.",)
    assert opened.plan.kv_type == "f16"
    assert machine.all_closed_but(opened)


def test_a_gpu_without_room_is_said_plainly(machine: Machine) -> None:
    machine.gpus = (card(1200),)
    opened = machine.open()
    assert machine.loads == [0]
    assert opened.notes == ("The model runs on the processor because the GPU has too little free memory (1,200 MiB).",)


def test_the_margin_stays_free_on_each_card(machine: Machine) -> None:
    machine.gpus = (card(2000), card(900, number=1))
    plan = machine.open().plan
    asked = Requested(16_384)
    shape = shape_of(FakeModel(METADATA))
    assert plan == fallback_steps(shape, FreeMemory(32 * GIB, gpu_bytes=976 * MIB, has_gpu=True), asked)[0].plan


def test_the_dry_run_is_believed(machine: Machine) -> None:
    machine.gpus = (card(4096),)
    whole = machine.open().plan
    machine.measured = (2500 * MIB, 0)
    measured = Machine(machine.folder / "other", gpus=machine.gpus, measured=machine.measured).open().plan
    assert measured.gpu_layers < whole.gpu_layers


def test_what_worked_is_tried_first_the_next_time(machine: Machine) -> None:
    machine.gpus = (card(20_000),)
    machine.can_make = lambda plan: (plan.gpu_layers, plan.prompt_tokens) == (21, 8192)
    first = machine.open()
    assert len(machine.contexts) == 4
    again = machine.open()
    assert (machine.loads, machine.contexts) == ([21], [(21, 8192)])
    assert again.plan == first.plan
    assert machine.dry_runs == 1
    machine.open(msgspec.structs.replace(LAUNCH, idle_minutes=3.0, threads=2))
    assert machine.loads == [21]
    with pytest.raises(ModelUnusable):  # other settings are another known-good configuration
        machine.open(msgspec.structs.replace(LAUNCH, context_tokens=5000))


def test_what_worked_and_fails_now_is_forgotten(machine: Machine) -> None:
    machine.gpus = (card(20_000),)
    machine.can_make = lambda plan: plan.gpu_layers == 21
    machine.open()
    machine.can_make = lambda plan: plan.gpu_layers == 14
    machine.open()
    assert machine.loads == [21, -1, 21, 14]
    machine.open()
    assert machine.loads == [14]


def test_with_much_more_room_all_is_planned_again(machine: Machine) -> None:
    machine.gpus = (card(1200),)
    assert not machine.open().plan.on_gpu
    machine.gpus = (card(1300),)
    machine.open()
    assert machine.contexts == [(0, 16_384)]
    machine.gpus = (card(20_000),)
    assert machine.open().plan.gpu_layers == 28


def test_with_less_room_what_worked_is_left(machine: Machine) -> None:
    machine.gpus = (card(20_000),)
    assert machine.open().plan.gpu_layers == 28
    machine.gpus = (card(1900),)
    assert 0 < machine.open().plan.gpu_layers < 28
    assert -1 not in machine.loads


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"k": 3}', b"[]"])
def test_a_damaged_file_is_forgotten(machine: Machine, content: bytes) -> None:
    machine.gpus = (card(20_000),)
    path = machine.folder / "cache" / "points.json"
    path.parent.mkdir()
    path.write_bytes(content)
    assert machine.open().plan.gpu_layers == 28
    assert b"28" in path.read_bytes()
    assert [file.name for file in path.parent.iterdir()] == ["points.json"]


def test_a_point_that_makes_no_sense_is_planned_again(machine: Machine) -> None:
    machine.gpus = (card(20_000),)
    machine.open()
    path = machine.folder / "cache" / "points.json"
    for old, new in (('"gpu_layers":28', '"gpu_layers":2800'), ('"prompt_tokens":16384', '"prompt_tokens":-5')):
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
        assert machine.open().plan.prompt_tokens == 16_384
        assert machine.contexts == [(28, 16_384)]


def test_a_file_that_cannot_be_written_is_no_matter(machine: Machine) -> None:
    machine.gpus = (card(20_000),)
    (machine.folder / "cache").write_text("a file where the folder should be", "utf-8")
    assert machine.open().plan.gpu_layers == 28


def test_layers_that_ended_the_process_twice_are_left_out(machine: Machine) -> None:
    machine.gpus = (card(20_000),)
    die_with(machine, 28)
    assert machine.open().plan.gpu_layers == 28, "once may be an accident"
    for layers, left, expected in (
        (28, 21, "Fewer layers run on the GPU because more of them crashed the engine before."),
        (21, 14, "Fewer layers run on the GPU because more of them crashed the engine before."),
        (14, 0, "The model runs on the processor because the GPU's driver crashed the engine before."),
    ):
        die_with(machine, layers)
        die_with(machine, layers)
        opened = machine.open()
        assert opened.plan.gpu_layers == left
        assert opened.notes[-1] == expected


def test_when_all_layers_are_deadly_and_memory_is_short_the_error_says_so(machine: Machine) -> None:
    machine.gpus, machine.ram = (card(20_000),), 1200 * MIB
    for layers in (28, 28, 21, 21, 14, 14):
        die_with(machine, layers)
    with pytest.raises(ModelUnusable, match="driver has crashed the engine before") as error:
        machine.open()
    assert "engine.gpuLayers" in error.value.fix
    assert machine.loads == []


def test_a_dry_run_that_ends_the_process_counts(machine: Machine) -> None:
    machine.gpus = (card(20_000),)

    def end(_path: str, _plan: ContextPlan, _layers: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_model(
            LAUNCH, machine.make, devices=lambda: machine.gpus, load=machine.load, estimate=end, points=machine.points
        )
    kept = (machine.folder / "cache" / "points.json").read_text("utf-8")
    assert f'"trial":{{"gpu_layers":28,"pid":{os.getpid()}}}' in kept


def die_with(machine: Machine, layers: int) -> None:
    """Leave the file as a process does that a driver ends while it opens a model with so many layers."""
    with subprocess.Popen([sys.executable, "-c", ""]) as short:
        gone = short.pid

    def stop(plan: ContextPlan) -> bool:
        if plan.gpu_layers == layers:
            raise KeyboardInterrupt
        return False

    others = machine.can_make
    machine.can_make = stop
    with pytest.raises(KeyboardInterrupt):
        machine.open()
    machine.can_make = others
    path = machine.folder / "cache" / "points.json"
    path.write_text(path.read_text("utf-8").replace(f'"pid":{os.getpid()}', f'"pid":{gone}'), "utf-8")


def test_a_process_that_is_still_at_it_is_not_dead(tmp_path: Path) -> None:
    points = KnownGoodStore(tmp_path / "points.json")
    for _ in range(5):
        points.trying("k", 28)
    assert points.deadly("k") == frozenset()
    points.keep("k", KnownGood(28, "q8_0", 4096, 1000))
    assert points.recall("k", 1250) == KnownGood(28, "q8_0", 4096, 1000)
    assert points.recall("k", 1251) is None
    assert points.recall("other", 1000) is None


def test_the_file_stays_small(tmp_path: Path) -> None:
    points = KnownGoodStore(tmp_path / "points.json")
    point = KnownGood(28, "q8_0", 4096, 1000)
    for number in range(60):
        points.keep(f"k{number}", point)
    kept = [number for number in range(60) if points.recall(f"k{number}", 1000)]
    assert kept == list(range(10, 60))


def test_a_model_that_is_not_there_is_said_at_once(machine: Machine) -> None:
    machine.gpus = (card(20_000),)

    def missing(_path: str, *, gpu_layers: int, vocab_only: bool) -> GgufModel:
        raise ModelMissing(f"There is no model file ({gpu_layers}, {vocab_only}).")

    with pytest.raises(ModelMissing):
        open_model(LAUNCH, machine.make, devices=lambda: machine.gpus, load=missing, points=machine.points)


def test_nothing_that_works_ends_in_an_error_and_frees_the_models(machine: Machine) -> None:
    machine.gpus = (card(20_000),)
    machine.can_make = lambda _plan: False
    with pytest.raises(ModelUnusable):
        machine.open()
    assert machine.all_closed_but(None)
    machine.can_load = lambda _layers: False
    with pytest.raises(ModelUnusable):
        machine.open()
    assert machine.loads == [*LAYERS, 0]
    assert machine.all_closed_but(None)
    machine.gpus, machine.ram = (), 300 * MIB
    machine.can_load = lambda _layers: True
    with pytest.raises(ModelUnusable, match=r"needs at least [\d,]+ MiB, and 44 MiB are free"):
        machine.open()
    assert machine.all_closed_but(None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.integers(0, 40_000), max_size=3),
    st.integers(0, 64 * 1024),
    st.sets(st.sampled_from([-1, 21, 14, 0])),
    st.integers(0, 40_000),
    st.integers(-1, 40),
)
def test_the_ladder_always_ends(
    tmp_path_factory: pytest.TempPathFactory,
    cards: list[int],
    ram_mib: int,
    refused: set[int],
    most_tokens: int,
    layers: int,
) -> None:
    machine = Machine(
        tmp_path_factory.mktemp("m"),
        ram=ram_mib * MIB,
        gpus=tuple(card(free, number=number) for number, free in enumerate(cards)),
        can_load=lambda tried: tried not in refused,
        can_make=lambda plan: plan.prompt_tokens <= most_tokens,
    )
    launch = msgspec.structs.replace(LAUNCH, gpu_layers=layers)
    for _ in range(2):
        opened = opened_or_none(machine, launch)
        assert len(machine.contexts) <= 12
        assert machine.all_closed_but(opened)
        machine.models.clear()
        if opened is not None:
            assert opened.plan.prompt_tokens <= most_tokens
            assert all(re.fullmatch(r"[A-Z0-9].*[^.]\.", note) for note in opened.notes)


def opened_or_none(machine: Machine, launch: EngineLaunch) -> Opened[str] | None:
    try:
        return machine.open(launch)
    except ModelUnusable:
        return None


@pytest.mark.parametrize(
    ("extra", "scaled"),
    [
        ({}, False),
        ({"qwen2.rope.scaling.type": "none"}, False),
        ({"qwen2.rope.scaling.type": "yarn"}, True),
        ({"qwen2.rope.scaling.factor": "4.000000"}, True),
        ({"qwen2.rope.scaling.factor": "1.000000"}, False),
        ({"qwen2.rope.scaling.factor": "?"}, False),
        ({"qwen2.rope.scale_linear": "10.0"}, True),
    ],
)
def test_metadata_says_whether_positions_are_stretched_already(extra: dict[str, str], scaled: bool) -> None:
    shape = shape_of(FakeModel({**METADATA, **extra}))
    assert shape.is_scaled == scaled
    assert (shape.layers, shape.head_values, shape.kv_values_per_token) == (28, 128, 28 * 2 * 256)


def test_the_parts_of_a_split_model_weigh_together(tmp_path: Path) -> None:
    for number, size in ((1, 10), (2, 20)):
        (tmp_path / f"m-{number:05}-of-00002.gguf").write_bytes(b"x" * size)
    (tmp_path / "other-00001-of-00002.gguf").write_bytes(b"x" * 500)
    model = FakeModel({**METADATA, "split.count": "2"}, str(tmp_path / "m-00001-of-00002.gguf"), 10)
    assert shape_of(model).weights_bytes == 30
    assert shape_of(FakeModel(METADATA, size_bytes=10)).weights_bytes == 10


def test_all_layers_means_the_output_too() -> None:
    shape = shape_of(FakeModel(METADATA))
    plans = [plan_of(shape, gpu_layers=layers, kv_type="q8_0", prompt_tokens=4096) for layers in (28, 21)]
    assert [native_layers(plan, 28) for plan in plans] == [-1, 21]


@pytest.fixture
def shipped() -> Iterator[GgufModel]:
    model = GgufModel(str(long_context()), gpu_layers=0, vocab_only=True)
    yield model
    model.close()


def native_context(model: GgufModel, plan: ContextPlan) -> Any:
    context = L.llama_init_from_model(model.handle, context_params(plan))
    if not context:
        raise ModelUnusable("llama.cpp says no.")
    return context


@pytest.mark.model
def test_the_shipped_model_opens_as_planned(shipped: GgufModel) -> None:
    opened = open_model(
        EngineLaunch(model_path=str(long_context()), context_tokens=3000), native_context, devices=tuple
    )
    assert L.llama_n_ctx(opened.context) == opened.plan.cells == 3840
    assert opened.plan == fallback_steps(shape_of(shipped), FreeMemory(8 * GIB), Requested(3000))[0].plan
    assert opened.notes == ()
    L.llama_free(opened.context)
    opened.model.close()


@pytest.mark.model
def test_a_dry_run_tells_the_compute_buffer(shipped: GgufModel, tmp_path: Path) -> None:
    shape = shape_of(shipped)
    plans = [plan_of(shape, gpu_layers=0, kv_type="f16", prompt_tokens=tokens) for tokens in (4096, 131_072)]
    small, large = (compute_bytes(str(SHIPPED), plan, 0) for plan in plans)
    assert small is not None
    assert large is not None
    assert small[0] == large[0] == 0, "there is no GPU in this"
    assert MIB < small[1] < large[1]
    masks = [2 * plan.cells * plan.ubatch_tokens for plan in plans]  # a half-precision number for each cell and row
    assert all(need[1] < 16 * MIB + mask for need, mask in zip((small, large), masks, strict=True))
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(SHIPPED.read_bytes()[:1000])
    plan = plan_of(shape, gpu_layers=0, kv_type="f16", prompt_tokens=4096)
    assert compute_bytes(str(broken), plan, 0) is None


@pytest.mark.model
def test_stretched_positions_reach_llama_cpp(shipped: GgufModel) -> None:
    plan = plan_of(shape_of(shipped), gpu_layers=0, kv_type="f16", prompt_tokens=300_000)
    params = context_params(plan)
    assert (params.rope_scaling_type, params.rope_freq_scale, params.yarn_orig_ctx) == (
        2,
        pytest.approx(1 / 3),
        131_072,
    )
    native = context_params(plan_of(shape_of(shipped), gpu_layers=0, kv_type="f16", prompt_tokens=3000))
    assert (native.rope_scaling_type, native.rope_freq_scale, native.yarn_orig_ctx) == (-1, 0.0, 0)


@pytest.mark.model
def test_plans_of_one_identity_give_one_text_and_others_another(shipped: GgufModel) -> None:
    model = GgufModel(str(long_context()), gpu_layers=0, vocab_only=False)
    short = replace(shape_of(shipped), trained_tokens=1024)
    plain, same, stretched, packed = (
        plan_of(shape, gpu_layers=0, kv_type=kv_type, prompt_tokens=tokens)
        for shape, kv_type, tokens in (
            (shape_of(shipped), "f16", 2048),
            (shape_of(shipped), "f16", 4096),
            (short, "f16", 2048),
            (shape_of(shipped), "q8_0", 2048),
        )
    )
    assert plain.cache_identity == same.cache_identity
    assert len({plan.cache_identity for plan in (plain, stretched, packed)}) == 3
    read = [logits_after(model, plan) for plan in (plain, same, stretched, packed)]
    assert np.array_equal(read[0], read[1])
    assert not np.array_equal(read[0], read[2])
    assert not np.array_equal(read[0], read[3])
    model.close()


def logits_after(model: GgufModel, plan: ContextPlan) -> np.ndarray:
    """Decode twenty tokens at once and return the last one's logits."""
    context = native_context(model, plan)
    tokens = (ctypes.c_int32 * 20)(*range(300, 320))
    assert L.llama_decode(context, L.llama_batch_get_one(tokens, 20)) == 0
    logits = np.ctypeslib.as_array(L.llama_get_logits_ith(context, -1), (model.vocabulary.size,)).copy()
    L.llama_free(context)
    return logits
