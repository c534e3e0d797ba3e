"""Which model is offered to whom, how often, and the effect of a refusal."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from spark_lsp.catalog.folder import FOLDER_VARIABLE
from spark_lsp.catalog.measured import store_machine
from spark_lsp.catalog.model_names import known_model
from spark_lsp.catalog.offering import QUIET_DAYS, ModelChoice
from spark_lsp.catalog.recommend import GIB, Machine
from spark_lsp.config import BackendSettings, EngineSettings, Settings

MACHINE = Machine(24 * GIB, 2, 70 * GIB, 180e9, 11e9)
SMALL = "qwen2.5-coder-0.5b-instruct"
TODAY = date(2026, 11, 30)

Choose = Callable[..., ModelChoice]


@pytest.fixture
def choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choose:
    """A user's decisions on a day, on a machine without pulled models."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store_machine(MACHINE)
    return lambda days=0: ModelChoice(tmp_path / "state", lambda: TODAY + timedelta(days=days))


def test_the_offer_names_the_recommended_model_its_size_and_its_licence(choose: Choose) -> None:
    offer = choose().offer(Settings())
    assert offer is not None
    assert offer.name == SMALL
    assert offer.message.endswith(
        f"{SMALL} suits this machine and is much better (download of 491 MB, licence Apache-2.0). Download it?"
    )


def test_at_most_one_editor_asks_on_a_day(choose: Choose) -> None:
    assert choose().offer(Settings()) is not None
    assert choose().offer(Settings()) is None
    assert choose(days=1).offer(Settings()) is not None
    assert choose(days=1).offer(Settings()) is None


def test_not_now_keeps_quiet_for_a_week(choose: Choose) -> None:
    offer = choose().offer(Settings())
    assert offer is not None
    offer.decline(False)
    assert choose(days=QUIET_DAYS - 1).offer(Settings()) is None
    assert choose(days=QUIET_DAYS).offer(Settings()) is not None


def test_never_is_for_good(choose: Choose) -> None:
    offer = choose().offer(Settings())
    assert offer is not None
    offer.decline(True)
    assert choose(days=5000).offer(Settings()) is None


@pytest.mark.parametrize(
    "settings",
    [
        Settings(offer_model=False),
        Settings(model="spark-nano"),
        Settings(backend=BackendSettings(urls=("http://127.0.0.1:1/v1",))),
        Settings(engine=EngineSettings(memory_limit_bytes=GIB // 4)),
    ],
)
def test_who_is_not_asked(choose: Choose, settings: Settings) -> None:
    assert choose().offer(settings) is None
    assert choose().offer(Settings()) is not None, "the day's turn is not used up"


def test_nothing_is_offered_in_continuous_integration(choose: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert choose().offer(Settings()) is None


def test_nothing_is_offered_where_a_pulled_model_serves(choose: Choose, tmp_path: Path) -> None:
    model = known_model(SMALL)
    assert model is not None
    assert model.file is not None
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / model.file.name).write_bytes(b"GGUF")
    assert choose().offer(Settings()) is None
    assert choose().model_path(Settings()) == str(tmp_path / "models" / model.file.name)


@pytest.mark.parametrize("machine", [replace(MACHINE, disk_bytes=0), replace(MACHINE, ram_bytes=GIB)])
def test_nothing_is_offered_that_does_not_fit(
    choose: Choose, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_lsp.catalog.offering.this_machine", lambda: machine)
    assert choose().offer(Settings()) is None


def test_nothing_is_offered_that_would_be_too_slow(choose: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(MACHINE, operations_per_s=5e9)
    monkeypatch.setattr("spark_lsp.catalog.offering.this_machine", lambda: slow)
    assert choose().offer(Settings()) is None


def test_a_folder_that_cannot_be_written_offers_nothing(choose: Choose, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be", "utf-8")
    assert choose().offer(Settings()) is None
