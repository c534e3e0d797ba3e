"""Which model is used if none is named: the best pulled one that suits the machine, or the embedded one."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.app import open_engine
from spark_lsp.catalog import measured
from spark_lsp.catalog.folder import FOLDER_VARIABLE
from spark_lsp.catalog.known import KnownModel
from spark_lsp.catalog.measured import store_machine, stored_machine, this_machine
from spark_lsp.catalog.model_names import (
    EMBEDDED_NAME,
    MODELS,
    default_model,
    known_model,
    model_path,
    model_reason,
    resolve_model,
)
from spark_lsp.catalog.recommend import GIB, Machine, fits, recommend, serving
from spark_lsp.config import EngineSettings, Settings

TWO_CORES = Machine(24 * GIB, 2, 70 * GIB, 180e9, 11e9)
LAPTOP = Machine(16 * GIB, 8, 200 * GIB, 500e9, 40e9)
CARD = replace(LAPTOP, operations_per_s=30e12, bytes_per_s=400e9, card="a card", vram_bytes=24 * GIB)
SMALL, MIDDLE, LARGE = (f"qwen2.5-coder-{size}-instruct" for size in ("0.5b", "1.5b", "7b"))
BASE = "qwen2.5-coder-1.5b"

Pull = Callable[..., None]


@pytest.fixture
def pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pull:
    """Put files of these names into a private models folder; no model is read here."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def pull(*names: str) -> None:
        for name in names:
            (folder / published(name)).write_bytes(b"GGUF")

    return pull


def published(name: str) -> str:
    model = known_model(name)
    assert model is not None
    assert model.file is not None
    return model.file.name


@pytest.mark.parametrize(
    ("machine", "names", "expected"),
    [
        (TWO_CORES, [], EMBEDDED_NAME),
        (TWO_CORES, [SMALL], SMALL),
        (TWO_CORES, [SMALL, MIDDLE, LARGE], SMALL),
        (TWO_CORES, [LARGE], EMBEDDED_NAME),
        (LAPTOP, [SMALL, MIDDLE, LARGE], MIDDLE),
        (LAPTOP, [SMALL, BASE], BASE),
        (LAPTOP, [BASE, MIDDLE], MIDDLE),
        (LAPTOP, ["starcoder2-3b"], EMBEDDED_NAME),
        (CARD, [SMALL, LARGE, "starcoder2-7b"], LARGE),
        (CARD, ["starcoder2-3b", "starcoder2-7b"], "starcoder2-7b"),
        (replace(LAPTOP, ram_bytes=2 * GIB), [SMALL], EMBEDDED_NAME),
        (replace(LAPTOP, limit_bytes=GIB // 2), [SMALL], EMBEDDED_NAME),
        (replace(TWO_CORES, operations_per_s=60e9), [SMALL, MIDDLE], SMALL),
        (replace(TWO_CORES, operations_per_s=5e9, bytes_per_s=2e9), [SMALL, MIDDLE], EMBEDDED_NAME),
    ],
)
def test_the_best_pulled_model_that_suits_serves(
    pulled: Pull, machine: Machine, names: list[str], expected: str
) -> None:
    pulled(*names)
    choice = serving(fits(MODELS, machine), machine)
    assert choice.name == expected
    assert choice.reason.endswith(".")


@given(
    ram_gib=st.integers(1, 64),
    operations=st.floats(1e9, 1e14),
    reading=st.floats(1e9, 2e12),
    names=st.sets(st.sampled_from([model.name for model in MODELS if not model.is_embedded])),
)
def test_what_is_recommended_and_usable_serves_once_it_is_pulled(
    ram_gib: int, operations: float, reading: float, names: set[str]
) -> None:
    machine = Machine(ram_gib * GIB, 4, 100 * GIB, operations, reading)
    recommended = recommend(fits(MODELS, machine), machine).name

    def here(model: KnownModel) -> KnownModel:
        is_here = model.name in {*names, recommended} and not model.is_embedded
        return replace(model, paths=(Path(__file__),)) if is_here else model

    # A row with a path of its own stands for a pulled one; only the package's own rows are embedded.
    replaces = tuple(
        replace(fit, model=_Pulled(fit.model)) if fit.model.paths == (Path(__file__),) else fit
        for fit in fits([here(model) for model in MODELS], machine)
    )
    by_name = {fit.model.name: fit for fit in replaces}
    served = by_name[serving(replaces, machine).name]
    assert served.model.is_embedded or served.is_usable
    if by_name[recommended].is_usable and not by_name[recommended].model.is_embedded:
        assert not served.model.is_embedded


class _Pulled:
    """A row whose file is on this machine but not part of the package."""

    is_embedded = False

    def __init__(self, row: KnownModel) -> None:
        self._row = row

    def __getattr__(self, name: str) -> object:
        return getattr(self._row, name)


def test_without_a_pulled_model_nothing_is_measured(pulled: Pull, tmp_path: Path) -> None:
    assert default_model().name == EMBEDDED_NAME
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_all_that_resolve_an_empty_name_agree(pulled: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    pulled(SMALL)
    store_machine(TWO_CORES)
    expected = resolve_model("")
    assert expected.name == published(SMALL)
    assert resolve_model(EMBEDDED_NAME).name == "spark-nano.gguf"
    assert model_path(Settings()) == expected
    assert "keeps up with typing" in model_reason(Settings())
    assert model_reason(Settings(model=SMALL)) == "", "the settings name it"
    assert open_engine(Settings())._launch.model_path == str(expected)
    limited = Settings(engine=EngineSettings(memory_limit_bytes=GIB // 2))
    assert model_path(limited).name == "spark-nano.gguf"
    listed = json.loads(_run("models", "list", "--json"))
    assert [row["name"] for row in listed if row["serves"]] == [SMALL]
    assert _run("models", "path").strip() == str(expected)
    assert f"{SMALL}-q4_k_m is used while no model is set." in " ".join(_run("models", "list").split())
    monkeypatch.setenv("SPARK_LSP_MODEL", EMBEDDED_NAME)
    assert _run("models", "path").strip().endswith("spark-nano.gguf")


def _run(*arguments: str) -> str:
    command = [sys.executable, "-m", "spark_lsp", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout


def test_of_two_first_measurements_one_counts_for_both(pulled: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two windows open at once: the second one has not seen the first one's measurement when it stores its own."""
    slower = replace(TWO_CORES, operations_per_s=1e9)
    store_machine(TWO_CORES)
    read, looks = measured.stored_machine, iter([True])
    monkeypatch.setattr(measured, "stored_machine", lambda: None if next(looks, False) else read())
    assert store_machine(slower).operations_per_s == TWO_CORES.operations_per_s


def test_a_slower_measurement_changes_nothing_and_a_faster_one_counts(pulled: Pull) -> None:
    store_machine(TWO_CORES)
    assert store_machine(replace(TWO_CORES, operations_per_s=1e9)).operations_per_s == TWO_CORES.operations_per_s
    assert store_machine(replace(TWO_CORES, operations_per_s=300e9)).operations_per_s == 300e9
    machine = this_machine()
    assert machine is not None
    assert (machine.operations_per_s, machine.bytes_per_s) == (300e9, TWO_CORES.bytes_per_s)


def test_a_damaged_measurement_is_none(pulled: Pull, tmp_path: Path) -> None:
    store_machine(TWO_CORES)
    (file,) = (tmp_path / "cache" / "spark-lsp" / "machine").iterdir()
    file.write_bytes(b"{")
    assert stored_machine() is None
    store_machine(LAPTOP)
    assert stored_machine() is not None


@pytest.mark.slow
def test_the_first_choice_measures_in_a_process_of_its_own(pulled: Pull) -> None:
    pulled(SMALL)
    default_model()
    machine = stored_machine()
    assert machine is not None
    assert machine.operations_per_s > 0
    assert machine.ram_bytes > 0
