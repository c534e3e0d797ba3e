"""Start, settings, status, shut-down: what a client sees before and after any completion."""

from pathlib import Path

import pytest
from lsprotocol import types

from scripts.harness.editor import capabilities, editor

pytestmark = pytest.mark.slow

WORKSPACE = "#- a.py\ndef alpha(x):\n    return x\n"


async def test_advertises_what_the_contract_promises(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        assert window.result is not None
        can = window.result.capabilities
        folders = can.workspace and can.workspace.workspace_folders
        assert folders == types.WorkspaceFoldersServerCapabilities(supported=True, change_notifications=True)
        assert window.result.server_info is not None
        assert window.result.server_info.name == "spark-lsp"
        assert can.inline_completion_provider
        assert can.code_action_provider.resolve_provider
        assert can.text_document_sync.change == types.TextDocumentSyncKind.Incremental
        assert can.position_encoding == "utf-16"
        commands = set(can.execute_command_provider.commands)
        assert {"spark.acceptCompletion", "spark.applyAction", "spark.pause", "spark.resume"} <= commands


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["utf-8", "utf-16"], "utf-8"),
        (["utf-32", "utf-8"], "utf-32"),
        (["latin-1", "utf-8"], "utf-8"),
        (None, "utf-16"),
    ],
)
async def test_takes_the_clients_first_encoding(offered: list[str] | None, chosen: str, tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, says=capabilities(offered)) as window:
        assert window.result is not None
        assert window.result.capabilities.position_encoding == chosen


async def test_works_with_a_client_that_says_nothing(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, says=types.ClientCapabilities()) as window:
        await window.ready()
        at = window.open("b.py", "from a import alpha\n\nvalue = alpha($0)\n")
        assert await window.complete("b.py", at)


async def test_status_tells_index_and_model(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        await window.ready()
        last = window.statuses[-1]
        assert (last.kind, last.model, last.indexed.files) == ("Normal", "scripted", 1)
        assert last.message


async def test_wrong_settings_are_named_and_the_rest_counts(tmp_path: Path) -> None:
    settings = {"completion": {"maxLines": "many", "deadlineMs": 2000}, "colour": "red"}
    async with editor(WORKSPACE, tmp_path, settings=settings) as window:
        await window.until(lambda w: len(w.messages) == 2)
        assert any("spark.completion.maxLines" in message and "'many'" in message for message in window.messages)
        assert any("spark.colour" in message for message in window.messages)


async def test_workspace_file_may_only_narrow(tmp_path: Path) -> None:
    workspace = WORKSPACE + '#- .spark-lsp.toml\nmodel = "/evil.gguf"\n[completion]\nenabled = false\n'
    async with editor(workspace, tmp_path) as window:
        await window.until(lambda w: w.messages and w.statuses and w.statuses[-1].kind == "Inactive")
        assert "spark.model in .spark-lsp.toml is ignored" in window.messages[0]
        at = window.open("b.py", "from a import alpha\n\nvalue = alpha($0)\n")
        assert await window.complete("b.py", at) is None
        assert await window.reasons() == ["disabled"]


async def test_changed_settings_take_effect(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        await window.ready()
        at = window.open("b.py", "from a import alpha\n\nvalue = alpha($0)\n")
        window.client.set_configuration({"spark": {"completion": {"enabled": False}}})
        window.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings={}))
        await window.until(lambda w: w.statuses[-1].kind == "Inactive")
        assert await window.complete("b.py", at) is None
        assert await window.reasons() == ["disabled"]


async def test_home_as_a_workspace_is_refused_and_completions_go_on(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path / "workspace")}
    async with editor(WORKSPACE, tmp_path, environment=home) as window:
        await window.until(lambda w: w.messages)
        at = window.open("b.py", "from a import alpha\n\nvalue = alpha($0)\n")
        assert await window.complete("b.py", at, by_hand=True)


async def test_files_that_change_on_disk_are_indexed_again(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        await window.ready()
        (window.root / "new.py").write_text("def omega():\n    return 0\n")
        event = types.FileEvent(uri=window.uri("new.py"), type=types.FileChangeType.Created)
        window.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))
        await window.until(lambda w: w.statuses[-1].indexed.of == 2)


async def test_own_watcher_where_the_client_has_none(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, says=types.ClientCapabilities()) as window:
        await window.ready()
        (window.root / "new.py").write_text("def omega():\n    return 0\n")
        await window.until(lambda w: w.statuses[-1].indexed.of == 2)


async def test_switched_off_never_starts_the_engine(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, settings={"completion": {"enabled": False}}) as window:
        await window.until(lambda w: w.statuses and w.statuses[-1].indexed.of == 1 and not w.statuses[-1].busy)
        assert (window.statuses[-1].kind, window.statuses[-1].model) == ("Inactive", "")


async def test_oversized_document_is_refused_with_a_reason(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        await window.ready()
        at = window.open("big.py", "x = 1\n" * 400_000 + "y = $0")
        at = window.type("big.py", at, "1")
        assert await window.complete("big.py", at) is None
        assert await window.reasons() == ["gate.too_large"]
