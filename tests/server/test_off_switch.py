"""Off is off: switched off on any level, no request for a completion reaches the engine."""

from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from scripts.harness.editor import SCRIPTED, Editor, editor

pytestmark = pytest.mark.slow

CODE = "def alpha(x):\n    return x\n\n\nvalue = alpha($0)\n"
OTHER = "#- a.py\ndef alpha(x):\n    return x\n"
OFF_IN_FILE = "#- a.py\nx = 1\n#- .spark-lsp.toml\n[completion]\nenabled = false\n"


def _reached(folder: Path) -> list[str]:
    log = folder / "engine.log"
    return log.read_text("utf-8").splitlines() if log.exists() else []


async def _ask_every_way(window: Editor, folder: Path) -> list[str]:
    """Open, type, ask as editors do and by hand, stream, rest the cursor; return the reasons."""
    at = window.open("b.py", CODE)
    at = window.type("b.py", at, "1")
    place = {"textDocument": {"uri": window.uri("b.py")}, "position": {"line": at.line, "character": at.character}}
    assert await window.complete("b.py", at) is None
    assert await window.complete("b.py", at, by_hand=True) is None
    stream = await window.send("spark/inlineCompletionStream", {**place, "context": {"triggerKind": 1}})
    assert not stream.items
    window.client.protocol.notify("textDocument/didFocus", place)
    return await window.reasons()


@pytest.mark.parametrize(
    ("workspace", "settings", "environment"),
    [
        (OTHER, {"completion": {"enabled": False}}, {}),
        (OFF_IN_FILE, {}, {}),
        (OTHER, {}, {"SPARK_LSP_COMPLETION_ENABLED": "false"}),
    ],
    ids=["settings", "workspace file", "environment"],
)
async def test_switched_off_the_engine_is_not_even_started(
    workspace: str, settings: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    variables = {**environment, "SCRIPTED_LOG": str(tmp_path / "engine.log")}
    async with editor(workspace, tmp_path, settings=settings, environment=variables) as window:
        await window.until(lambda w: w.statuses and w.statuses[-1].kind == "Inactive")
        assert set(await _ask_every_way(window, tmp_path)) == {"disabled"}
        assert "spark.completion.enabled" in window.statuses[-1].message
    assert _reached(tmp_path) == []


@pytest.mark.parametrize(
    "settings",
    [{"completion": {"languages": {"python": False}}}, {"completion": {"exclude": ["b.*"]}}],
    ids=["language", "glob"],
)
async def test_switched_off_for_some_files_nothing_is_asked_for_them(settings: dict[str, Any], tmp_path: Path) -> None:
    environment = {"SCRIPTED_LOG": str(tmp_path / "engine.log")}
    async with editor(OTHER, tmp_path, settings=settings, environment=environment) as window:
        await window.ready()
        assert set(await _ask_every_way(window, tmp_path)) == {"disabled"}
        at = window.open("c.go", "package main\n\nfunc f() {\n\tx := $0\n}\n", "go")
        assert await window.complete("c.go", at)
    # The rest of the workspace is read (2), and the other file's completion asked (0); nothing for this file.
    assert [line for line in _reached(tmp_path) if line == "generate 0"] == ["generate 0"]
    assert "generate 1" not in _reached(tmp_path)


async def test_paused_nothing_reaches_the_engine_until_resumed(tmp_path: Path) -> None:
    environment = {"SCRIPTED_LOG": str(tmp_path / "engine.log")}
    async with editor(OTHER, tmp_path, (*SCRIPTED, ", 2"), environment=environment) as window:
        await window.ready()
        await window.client.workspace_execute_command_async(types.ExecuteCommandParams("spark.pause"))
        before = _reached(tmp_path)
        assert set(await _ask_every_way(window, tmp_path)) == {"paused"}
        await window.client.workspace_execute_command_async(types.ExecuteCommandParams("spark.reindex"))
        window.client.set_configuration({"spark": {"completion": {"maxLines": 3}}})
        window.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings={}))
        assert await window.complete("b.py", types.Position(4, 15)) is None
        assert (await window.reasons())[-1] == "paused"
        assert _reached(tmp_path) == before
        await window.client.workspace_execute_command_async(types.ExecuteCommandParams("spark.resume"))
        assert await window.complete("b.py", types.Position(4, 15))
    assert "generate 0" in _reached(tmp_path)[len(before) :]
