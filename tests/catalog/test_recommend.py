"""Which model suits which machine, and the content of every row of the catalogue."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.catalog.known import HubSource, IndexSource, ModelSource, PublishedFile
from spark_lsp.catalog.model_names import MODELS, known_model
from spark_lsp.catalog.recommend import GIB, RANKED, Machine, fits, recommend
from spark_lsp.engine.fim import family_named

LAPTOP = Machine(16 * GIB, 8, 200 * GIB, 500e9, 40e9)


def card(gib: int, operations_per_s: float = 30e12, bytes_per_s: float = 400e9) -> Machine:
    return replace(
        LAPTOP, card="a card", vram_bytes=gib * GIB, operations_per_s=operations_per_s, bytes_per_s=bytes_per_s
    )


def chosen(machine: Machine) -> str:
    recommendation = recommend(fits(MODELS, machine), machine)
    assert recommendation.reason.endswith(".")
    return recommendation.name


def check_index_source(source: ModelSource, file: PublishedFile) -> None:
    assert isinstance(source, IndexSource)
    assert file.sha256, "what a third party packed is compared with what the maker published"
    assert sum(part.size_bytes for part in source.parts) == file.size_bytes
    checksums = [checksum for part in source.parts for checksum in (part.wheel_sha256, part.sha256)]
    assert all(re.fullmatch(r"[0-9a-f]{64}", checksum) for checksum in checksums)
    assert len({*checksums}) == len(checksums)
    assert source.version
    for template in (source.distribution, source.member):
        assert template.format(number=1) != template.format(number=2)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_row_is_whole(model) -> None:
    assert re.fullmatch(r"[a-z0-9.-]+", model.name)
    assert family_named(model.family) is not None
    assert model.summary.endswith(".")
    assert model.native_tokens >= 2048
    assert model.extended_tokens in {0, *range(model.native_tokens, 2_000_000)}
    assert model.shape is not None
    assert 0 < model.shape.active_parameters <= model.parameters
    assert model.shape.kv_values_per_token % model.shape.layers == 0
    if model.file:
        assert model.file.name.endswith(".gguf")
        assert re.fullmatch(r"([0-9a-f]{64})?", model.file.sha256)
        hub, *others = model.file.sources
        assert isinstance(hub, HubSource), "the maker's own source is the first choice"
        assert hub.repository.count("/") == 1
        assert bool(model.file.sha256) == (hub.revision != "main"), "a checksum belongs to a commit"
        for source in others:
            check_index_source(source, model.file)
        bits = model.file.size_bytes * 8 / model.parameters
        assert 4 < bits < 9, "the size fits the number of weights"


def test_what_is_recommended_may_be_used_by_anyone() -> None:
    for name in RANKED:
        model = known_model(name)
        assert model is not None
        assert model.is_free
        assert model.file is not None
        assert model.kind == "instruct"


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (replace(LAPTOP, operations_per_s=100e9, bytes_per_s=15e9), "qwen2.5-coder-0.5b-instruct"),
        (LAPTOP, "qwen2.5-coder-1.5b-instruct"),
        (card(8), "qwen2.5-coder-7b-instruct"),
        (card(12), "qwen2.5-coder-14b-instruct"),
        (card(18), "qwen2.5-coder-14b-instruct"),
        (card(24), "qwen3-coder-30b-a3b"),
        (replace(LAPTOP, ram_bytes=2 * GIB), "spark-nano"),
        (replace(LAPTOP, disk_bytes=0), "spark-nano"),
    ],
)
def test_usual_machines(machine: Machine, expected: str) -> None:
    assert chosen(machine) == expected


def test_a_slow_machine_is_told_so() -> None:
    slow = replace(LAPTOP, operations_per_s=5e9, bytes_per_s=2e9)
    assert "None keeps up" in recommend(fits(MODELS, slow), slow).reason


@given(
    ram_gib=st.integers(0, 256),
    disk_gib=st.integers(0, 1000),
    vram_gib=st.integers(0, 96),
    operations=st.floats(1e9, 1e15),
    reading=st.floats(1e9, 5e12),
)
def test_what_is_recommended_always_fits(
    ram_gib: int, disk_gib: int, vram_gib: int, operations: float, reading: float
) -> None:
    machine = Machine(
        ram_gib * GIB, 8, disk_gib * GIB, operations, reading, "a card" if vram_gib else "", vram_gib * GIB
    )
    fits_by_name = {fit.model.name: fit for fit in fits(MODELS, machine)}
    name = recommend(tuple(fits_by_name.values()), machine).name
    assert name == "spark-nano" or fits_by_name[name].fits
    for fit in fits_by_name.values():
        assert 0 <= fit.context_tokens <= fit.model.most_tokens
        needed = [size for size in fit.memory_bytes if size]
        assert needed == sorted(needed)


def test_more_memory_never_makes_it_worse() -> None:
    order = ["spark-nano", *RANKED]
    for machine_of in (card, lambda gib: replace(LAPTOP, ram_bytes=gib * GIB)):
        places = [order.index(chosen(machine_of(gib))) for gib in range(1, 65)]
        assert places == sorted(places)
