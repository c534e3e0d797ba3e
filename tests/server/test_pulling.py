"""A model that the settings name and that is not here yet: offered once, pulled with progress, then used."""

from pathlib import Path

import pytest
from lsprotocol import types

from scripts.harness.editor import REAL, editor
from tests.catalog.hub import Hub, running_hub
from tests.llama.gguf_files import SHIPPED

pytestmark = pytest.mark.model

WORKSPACE = "#- a.py\nx = 1\n"
SETTINGS = {"model": "starcoder2-3b"}


def private(hub: Hub, folder: Path) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.endpoint, "SPARK_LSP_MODELS_DIR": str(folder / "models")}


async def test_it_is_pulled_when_the_user_wants_it(tmp_path: Path) -> None:
    with running_hub(SHIPPED.read_bytes()) as hub:
        async with editor(
            WORKSPACE, tmp_path, REAL, settings=SETTINGS, environment=private(hub, tmp_path), choice="Pull it"
        ) as window:
            await window.ready()
            assert window.statuses[-1].model == "spark-nano", "the stand-in's file is the shipped model"
            assert len(window.questions) == 1
            assert "starcoder2-3b (1.9 GB) is not on this machine yet" in window.questions[0]
    assert len([*(tmp_path / "models").glob("*.gguf")]) == 1


async def test_without_a_yes_nothing_is_asked_of_the_network(tmp_path: Path) -> None:
    with running_hub(b"GGUF") as hub:
        async with editor(
            WORKSPACE, tmp_path, REAL, settings=SETTINGS, environment=private(hub, tmp_path), choice="Not now"
        ) as window:
            await window.until(lambda log: any("models pull starcoder2-3b" in message for message in log.messages))
            assert len(window.questions) == 1
        assert hub.requests == []


async def test_a_pull_that_fails_is_told(tmp_path: Path) -> None:
    with running_hub(b"GGUF") as hub:
        hub.fault = "gone"
        async with editor(
            WORKSPACE, tmp_path, REAL, settings=SETTINGS, environment=private(hub, tmp_path), choice="Pull it"
        ) as window:
            await window.until(lambda log: any("no longer has the file" in message for message in log.messages))
            await window.until(lambda log: log.statuses[-1].kind == "Error")


async def test_a_pull_can_be_cancelled(tmp_path: Path) -> None:
    title = "Spark: Pulling the model"
    with running_hub(SHIPPED.read_bytes()) as hub:
        hub.fault = "halts"
        async with editor(
            WORKSPACE, tmp_path, REAL, settings=SETTINGS, environment=private(hub, tmp_path), choice="Pull it"
        ) as window:
            await window.until(lambda log: title in log.begun)
            token, can_be_cancelled = window.begun[title]
            assert can_be_cancelled
            window.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
            await window.until(lambda log: any("models pull starcoder2-3b" in message for message in log.messages))
    assert not [*(tmp_path / "models").glob("*.gguf")]
