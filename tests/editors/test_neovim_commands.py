"""The rest of the Neovim plugin: :Spark, the statusline, :checkhealth, the help file, and plain vim.lsp.enable."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.editors.conftest import FAKE_SERVER

pytestmark = pytest.mark.editor

Fake = Callable[..., Any]

STATUS = {"kind": "Normal", "busy": True, "message": "", "model": "nano", "indexed": {"files": 3, "of": 9}}


def test_the_statusline_follows_the_server(fake: Fake) -> None:
    editor = fake("$0")
    component = "return require('spark').status()"
    assert editor.lua(component) == ""
    editor.notify("fake/status", STATUS)
    editor.wait("the status", lambda: editor.lua(component) == "spark nano 3/9 …")
    editor.notify("fake/status", {"kind": "Error", "busy": False, "message": "engine failed, 100% sure"})
    editor.wait("the status", lambda: editor.lua(component) == "spark ✗ engine failed, 100%% sure")
    assert "engine failed" in editor.api.command_output("Spark status")
    editor.notify("fake/status", {"kind": "Error", "busy": False, "message": "a long story " * 9})
    editor.wait("the status", lambda: len(editor.lua(component)) < len("spark ✗ …") + 40)


def test_subcommands_reach_the_server(fake: Fake) -> None:
    editor = fake("$0")
    for name in ("pause", "resume", "restart", "unload", "reindex"):
        editor.api.command(f"Spark {name}")
    sent = [params["command"] for params in editor.received("workspace/executeCommand")]
    assert sent == ["spark.pause", "spark.resume", "spark.restartEngine", "spark.unloadModel", "spark.reindex"]


def test_rewrite_sends_the_selected_lines_and_the_instruction(fake: Fake) -> None:
    editor = fake("one\ntwo 😀\nthree$0", encoding="utf-16")
    editor.api.command("1,2Spark rewrite say it in French")
    (sent,) = editor.received("workspace/executeCommand")
    assert sent["command"] == "spark.rewrite"
    uri, place, instruction = sent["arguments"]
    assert uri.endswith("/module.py")
    assert place == {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 6}}
    assert instruction == "say it in French"


def test_the_doctor_opens_as_a_page(fake: Fake, tmp_path: Path) -> None:
    editor = fake("$0")
    program = tmp_path / "spark-lsp"
    program.write_text("#!/bin/sh\necho ok python\n", encoding="utf-8")
    program.chmod(0o755)
    editor.lua("vim.lsp.config('spark', { cmd = { ... } })", str(program))
    editor.type("<Esc>")
    editor.api.command("Spark doctor")
    editor.wait("the page", lambda: editor.lua("return vim.bo.filetype") == "spark-doctor")
    assert editor.lines() == ["ok python"]


def test_subcommands_complete(fake: Fake) -> None:
    editor = fake("$0")
    complete = "return vim.fn.getcompletion(..., 'cmdline')"
    assert editor.lua(complete, "Spark re") == ["reindex", "restart", "resume", "rewrite"]
    assert editor.lua(complete, "Spark restart ") == ["engine", "server"]
    assert editor.lua(complete, "Spark pause ") == []


def test_an_unknown_subcommand_names_the_known_ones(fake: Fake) -> None:
    editor = fake("$0")
    editor.lua("vim.notify = function(text) vim.g.said = text end; vim.cmd('Spark nonsense')")
    assert editor.api.vars["said"].startswith('Spark: unknown command "nonsense". Commands: action, context, doctor,')


def test_the_log_opens_as_a_page(fake: Fake) -> None:
    editor = fake("$0")
    editor.type("<Esc>")
    editor.api.command("Spark log")
    editor.wait("the page", lambda: editor.lua("return vim.bo.filetype") == "spark-log")
    assert editor.lines() == ["ok               total_ms=12.5"]


def test_toggle_stops_asking(fake: Fake) -> None:
    editor = fake("$0", {"after": "a", "text": "bc"})
    editor.api.command("Spark toggle off")
    asked = len(editor.received("spark/inlineCompletionStream"))
    editor.type("a")
    editor.wait_text("a")
    assert len(editor.received("spark/inlineCompletionStream")) == asked
    editor.api.command("Spark toggle on")
    editor.type("<BS>a")
    editor.wait_ghost("bc")


def test_restart_server_brings_it_back(fake: Fake) -> None:
    editor = fake("$0", {"after": "a", "text": "bc"})
    client = "local c = vim.lsp.get_clients({ name = 'spark', bufnr = 0 })[1]; return c and c.initialized and c.id"
    before = editor.lua(client)
    editor.api.command("Spark restart server")
    editor.wait("another server", lambda: editor.lua(client) not in (None, before))
    editor.type("a")
    editor.wait_ghost("bc")


def test_checkhealth_has_no_error(fake: Fake) -> None:
    editor = fake("$0")
    editor.notify("fake/status", STATUS)
    editor.wait("the status", lambda: editor.lua("return require('spark').status()") != "")
    editor.type("<Esc>")
    editor.api.command("checkhealth spark")
    report = editor.text()
    assert "version 0-fake" in report
    assert "indexed files: 3 of 9" in report
    assert "ERROR" not in report


def test_the_help_file_has_its_tags(fake: Fake, tmp_path: Path) -> None:
    editor = fake("$0")
    # helptags writes into the folder; a copy keeps the repository clean
    source = Path(editor.lua("return vim.api.nvim_get_runtime_file('doc/spark.txt', false)[1]"))
    copy = tmp_path / "doc" / "spark.txt"
    copy.parent.mkdir()
    copy.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    editor.api.command(f"helptags {copy.parent}")
    tags = (copy.parent / "tags").read_text(encoding="utf-8")
    for tag in ("spark.txt", "spark-options", "spark-keys", ":Spark", "spark-statusline"):
        assert f"{tag}\t" in tags


def test_one_line_of_configuration_is_enough(start_neovim: Callable[..., Any], tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"answers": [{"after": "a", "text": "bc"}]}), encoding="utf-8")
    module = tmp_path / "module.py"
    module.write_text("", encoding="utf-8")
    server = [sys.executable, str(FAKE_SERVER), str(table)]
    editor = start_neovim(server, setup=None)
    editor.lua("vim.lsp.config('spark', { cmd = ... }); vim.lsp.enable('spark')", server)
    editor.open(module)
    editor.type("ia")
    editor.wait_ghost("bc")
