"""Everything of the VS Code extension but ghost text: finding and installing the server, status, menu, pages."""

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.editors.conftest import FAKE_SERVER
from tests.editors.shop import SPARK, environment, stop_engine, write

pytestmark = pytest.mark.editor

Fake = Callable[..., Any]

STATUS = {"kind": "Normal", "busy": False, "message": "Ready.", "model": "nano", "resident_tokens": 1834}
LOG = [{"reason": "ok", "total_ms": 120.4, "facts": {"first_token_ms": 34.6, "generated_tokens": 16}}]
PAGE = "<!doctype html><html lang=en><meta charset=utf-8><title>t</title><style></style><h1>Context of module.txt</h1>"


def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "module.txt").write_text("", encoding="utf-8")
    return folder


def buttons(window: Any) -> list[str]:
    """What the notifications on the screen offer."""
    return [text for text in window.page.locator(".notifications-toasts .monaco-button").all_inner_texts() if text]


def press(window: Any, button: str) -> None:
    window.page.locator(".notifications-toasts .monaco-button", has_text=button).first.click()


def menu(window: Any) -> list[str]:
    """Open the status bar's menu."""
    window.status_item.click()
    rows = window.page.locator(".quick-input-list .monaco-list-row")
    rows.filter(has_text="suggestions").first.wait_for()  # its first row; what was listed before may still be there
    return [text.strip() for text in rows.all_inner_texts()]


def choose(window: Any, row: str) -> None:
    window.page.locator(".quick-input-list .monaco-list-row", has_text=row).first.click()


def test_without_a_server_it_says_so_and_offers_to_install(open_vscode: Callable[..., Any], tmp_path: Path) -> None:
    window = open_vscode(workspace(tmp_path), None)
    window.wait_status("there is no server yet")
    window.wait("the buttons", lambda: {"Install", "Open Settings", "Try Again"} <= set(buttons(window)))
    window.picture("no-server")


def test_a_path_that_is_wrong_is_named(open_vscode: Callable[..., Any], tmp_path: Path) -> None:
    window = open_vscode(workspace(tmp_path), None, settings={"spark.server.path": "/no/such/program"})
    window.wait_status("spark.server.path names no program: /no/such/program")
    window.wait("the buttons", lambda: "Open Settings" in buttons(window))
    assert "Install" not in buttons(window), "the setting stands before what would be installed"


def test_without_python_it_says_what_is_needed(open_vscode: Callable[..., Any], tmp_path: Path) -> None:
    window = open_vscode(workspace(tmp_path), None, settings={"spark.server.python": "/no/such/python"})
    window.wait("the button", lambda: "Install" in buttons(window))
    press(window, "Install")
    window.wait_status("names no Python 3.11 to 3.14 with the module venv: /no/such/python")
    window.wait("the buttons", lambda: "Open Settings" in buttons(window))


def test_without_a_compiler_it_says_what_to_install(open_bare_vscode: Callable[..., Any], tmp_path: Path) -> None:
    window = open_bare_vscode(workspace(tmp_path), settings={"spark.server.python": sys.executable})
    window.wait("the button", lambda: "Install" in buttons(window))
    press(window, "Install")
    window.wait_status("A C++ compiler is needed to build llama.cpp, and none is on PATH")
    window.wait("the buttons", lambda: {"Try Again", "Show Output"} <= set(buttons(window)))


def test_a_failed_installation_shows_pip_s_last_words(open_vscode: Callable[..., Any], tmp_path: Path) -> None:
    settings = {"spark.server.python": sys.executable, "spark.server.package": str(tmp_path / "none.whl")}
    window = open_vscode(workspace(tmp_path), None, settings=settings)
    window.wait("the button", lambda: "Install" in buttons(window))
    press(window, "Install")
    window.wait_status("was not installed: ERROR: ", deadline_s=90)
    window.wait("the buttons", lambda: {"Try Again", "Show Output"} <= set(buttons(window)))


def test_it_installs_into_an_environment_of_its_own(
    open_vscode: Callable[..., Any], code_server: Any, tmp_path: Path
) -> None:
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"answers": [{"after": "a", "text": "bc"}]}), encoding="utf-8")
    settings = {"spark.server.python": sys.executable, "spark.server.package": str(wheel(tmp_path, table))}
    window = open_vscode(workspace(tmp_path), None, settings=settings)
    window.wait("the button", lambda: "Install" in buttons(window))
    press(window, "Install")
    window.wait("it to be installed", lambda: "Spark LSP is installed." in window.notes(), deadline_s=90)
    window.open("module.txt")
    window.type("a")
    window.wait_ghost("bc")
    code_server.forget_installed()


def wheel(folder: Path, table: Path) -> Path:
    """Pack the fake server as the package that would be installed."""
    path = folder / "spark_lsp-0.0.1-py3-none-any.whl"
    run = (
        "import runpy, sys\n"
        "def main():\n"
        f"    sys.argv = ['spark-lsp', {str(table)!r}]\n"
        f"    runpy.run_path({str(FAKE_SERVER)!r}, run_name='__main__')\n"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fake_spark.py", run)
        info = "spark_lsp-0.0.1.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: spark-lsp\nVersion: 0.0.1\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\nspark-lsp = fake_spark:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_a_workspace_that_is_not_trusted_brings_no_program(open_vscode: Callable[..., Any], tmp_path: Path) -> None:
    folder = workspace(tmp_path)
    program = folder / ".venv" / "bin" / "spark-lsp"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'\n", encoding="utf-8")
    program.chmod(0o755)
    trust = {"security.workspace.trust.enabled": True, "security.workspace.trust.startupPrompt": "never"}
    window = open_vscode(folder, None, settings=trust)
    window.wait_status("there is no server yet: no spark-lsp on PATH.")
    assert not (tmp_path / "started").exists()


def test_the_status_bar_tells_model_context_files_and_speed(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", log={"requests": LOG})
    indexing = {"kind": "Normal", "busy": True, "message": "Indexing.", "indexed": {"files": 3, "of": 9}}
    window.control.send("fake/status", **indexing)
    window.wait_status("Spark 3/9")
    window.control.send("fake/status", **STATUS, indexed={"files": 9, "of": 9})
    window.wait_status("Last answer: first token after 35 ms, 16 tokens in 120 ms")
    for fact in ("Ready.", "Model: nano", "Cached: 1,834 tokens", "Indexed: 9 of 9 files"):
        assert fact in window.status()
    window.control.send("fake/status", kind="Error", message="The engine died.")
    window.wait_status("The engine died.")
    assert "error" in window.status()


def test_the_menu_reaches_the_server(fake_vscode: Fake) -> None:
    window = fake_vscode("$0")
    window.control.send("fake/status", **STATUS)
    window.wait_status("Ready.")
    rows = menu(window)
    window.picture("menu")
    assert rows[0] == "Pause suggestions"
    expected = {
        "Show context at cursor",
        "Show request log",
        "Choose model",
        "Unload model",
        "Restart engine",
        "Run doctor",
    }
    assert expected <= set(rows)
    choose(window, "Pause suggestions")
    window.control.send("fake/status", **{**STATUS, "kind": "Inactive", "message": "Paused."})
    window.wait_status("Paused.")

    def can_resume() -> bool:
        """Look again where the menu was opened before the status had reached it."""
        if menu(window)[0] == "Resume suggestions":
            return True
        window.press("Escape")
        return False

    window.wait("a menu that can resume", can_resume)
    choose(window, "Resume suggestions")
    for row in ("Unload model", "Restart engine"):
        menu(window)
        choose(window, row)
    commands = ["spark.pause", "spark.resume", "spark.unloadModel", "spark.restartEngine"]
    window.wait(
        "the commands",
        lambda: [sent["command"] for sent in window.control.received("workspace/executeCommand")] == commands,
    )


def test_the_context_page_runs_no_script(fake_vscode: Fake) -> None:
    script = "<script>document.querySelector('h1').textContent = 'hacked'</script>"
    window = fake_vscode("$0", context={"budget": 10, "tokens": 5, "segments": [], "html": PAGE + script})
    window.command("Spark: Show Context at Cursor")
    page = window.webview("Context of module.txt")
    assert page.locator("h1").text_content() == "Context of module.txt"
    assert "default-src 'none'" in page.locator("meta[http-equiv]").first.get_attribute("content")


def test_only_what_somebody_has_set_is_told_when_the_server_asks(fake_vscode: Fake) -> None:
    window = fake_vscode("$0", settings={"spark.completion.maxLines": 3}, pull=True)
    window.wait("the answer", lambda: window.control.received("fake/answer"))
    assert window.control.received("fake/answer") == [[{"completion": {"maxLines": 3}}]]
    (first,) = window.control.received("initialize")
    assert not first.get("initializationOptions"), "what is taken back later would linger there"


def test_a_rewrite_asks_for_an_instruction(fake_vscode: Fake) -> None:
    window = fake_vscode("$0one two", commands=["spark.rewrite"])
    window.press("Shift+End")
    window.command("Spark: Rewrite Selection")
    box = window.page.locator(".quick-input-widget input[type=text]")
    window.wait(
        "the question", lambda: "What should change?" in window.page.locator(".quick-input-widget").inner_text()
    )
    box.fill("say three")
    window.press("Enter")
    window.wait("the command", lambda: window.control.received("workspace/executeCommand"))
    (sent,) = window.control.received("workspace/executeCommand")
    assert sent["command"] == "spark.rewrite"
    uri, place, instruction = sent["arguments"]
    assert uri.endswith("/module.txt")
    assert place == {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 7}}
    assert instruction == "say three"


@pytest.mark.model
def test_a_missing_model_is_named_and_another_is_chosen(open_vscode: Callable[..., Any], tmp_path: Path) -> None:
    shop = write(tmp_path / "shop")
    settings = {"spark.model": "/no/such/model.gguf"}
    window = open_vscode(shop, SPARK, variables=environment(tmp_path / "run"), settings=settings)
    window.wait_status("/no/such/model.gguf", deadline_s=60)
    window.wait("the buttons", lambda: {"Choose Model", "Run Doctor"} <= set(buttons(window)))
    press(window, "Choose Model")
    row = window.page.locator(".quick-input-list .monaco-list-row", has_text="The best one for this machine").first
    row.wait_for(timeout=60_000)
    row.click()
    window.wait_status("Ready.", deadline_s=120)
    stop_engine(tmp_path / "run")
