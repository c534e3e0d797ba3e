"""``spark.restartEngine`` ends the engine and starts a new one, also after it was given up; a failure is shown."""

from pathlib import Path

import pytest
from lsprotocol import types

from scripts.harness.editor import Editor, editor

pytestmark = pytest.mark.slow

WORKSPACE = "#- a.py\ndef alpha(x):\n    return x\n"
CODE = "from a import alpha\n\nvalue = alpha($0)\n"


async def _restart(window: Editor) -> None:
    await window.client.workspace_execute_command_async(types.ExecuteCommandParams("spark.restartEngine"))


async def test_a_healthy_engine_is_restarted(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    async with editor(WORKSPACE, tmp_path, environment={"SCRIPTED_LOG": str(log)}) as window:
        await window.ready()
        await _restart(window)
        assert "restart" in log.read_text("utf-8").splitlines()
        at = window.open("b.py", CODE)
        assert await window.complete("b.py", at)


async def test_an_engine_that_was_given_up_works_again(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, environment={"SCRIPTED_CRASHED": "restart"}) as window:
        await window.until(lambda w: w.statuses and w.statuses[-1].kind == "Error")
        await _restart(window)
        assert window.statuses[-1].kind == "Normal"
        at = window.open("b.py", CODE)
        assert await window.complete("b.py", at)


async def test_a_restart_that_fails_says_why(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, environment={"SCRIPTED_CRASHED": "for ever"}) as window:
        await window.until(lambda w: w.messages)
        before = len(window.messages)
        await _restart(window)
        await window.until(lambda w: len(w.messages) > before)
        assert "stopped three times" in window.messages[-1]
        assert window.statuses[-1].kind == "Error"


async def test_what_is_paused_starts_no_engine(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    async with editor(WORKSPACE, tmp_path, environment={"SCRIPTED_LOG": str(log)}) as window:
        await window.ready()
        await window.client.workspace_execute_command_async(types.ExecuteCommandParams("spark.pause"))
        before = log.read_text("utf-8")
        await _restart(window)
        assert log.read_text("utf-8") == before
        assert window.statuses[-1].kind == "Inactive"
