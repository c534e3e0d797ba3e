"""A remote host is asked for once, in the editor, and nothing goes there before."""

from pathlib import Path

import pytest

from scripts.harness.editor import REAL, editor
from spark_lsp.engine.remote.consent import CONFIG_VARIABLE, allowed_origins

pytestmark = pytest.mark.slow

WORKSPACE = "#- a.py\nx = 1\n"
SETTINGS = {"backend": {"urls": ["https://models.invalid/v1"], "model": "qwen2.5-coder-7b"}}


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "config"))


@pytest.mark.parametrize("choice", ["Not now", None])
async def test_without_a_yes_nothing_is_sent(choice: str | None, tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, REAL, settings=SETTINGS, choice=choice) as window:
        await window.until(lambda log: log.questions and log.statuses[-1].kind == "Error")
        assert "https://models.invalid" in window.questions[0]
        assert "You have not allowed that yet" in window.statuses[-1].message
        position = window.open("b.py", "def double(x):\n    return $0\n")
        assert await window.complete("b.py", position) is None
        assert len(window.questions) == 1, "asked once"
    assert allowed_origins() == frozenset()


async def test_a_yes_is_remembered(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, REAL, settings=SETTINGS, choice="Allow") as window:
        await window.until(lambda log: "cannot be reached" in log.statuses[-1].message if log.statuses else False)
        assert window.statuses[-1].kind == "Error"
        assert len(window.questions) == 1
    assert allowed_origins() == {"https://models.invalid"}
    async with editor(WORKSPACE, tmp_path, REAL, settings=SETTINGS) as window:
        await window.until(lambda log: "cannot be reached" in log.statuses[-1].message if log.statuses else False)
        assert window.questions == []


async def test_a_workspace_file_can_neither_name_nor_allow_a_host(tmp_path: Path) -> None:
    workspace = WORKSPACE + '#- .spark-lsp.toml\nbackend.urls = ["https://models.invalid/v1"]\nbackend.allow = true\n'
    async with editor(workspace, tmp_path) as window:
        await window.until(lambda log: any("spark.backend.urls" in message for message in log.messages))
        assert window.questions == []
