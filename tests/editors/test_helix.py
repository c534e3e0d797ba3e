"""Helix in a terminal with the real server and scripted answers: no ghost text there, but code actions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.editors import install
from tests.editors.shop import REPOSITORY, SPARK, environment, script, stop_engine, write_ledger

pytestmark = [pytest.mark.editor, pytest.mark.model]

CONFIGURATION = REPOSITORY / "editors" / "helix" / "languages.toml"
MODEL_DEADLINE_S = 90.0


@pytest.fixture
def helix(tmp_path: Path, scripted_answers: dict[str, str]) -> Iterator[Any]:
    """Open a file of the sample workspace with the configuration that users copy."""
    if reason := install.missing("debian"):
        pytest.skip(reason)
    from tests.editors.terminal import Terminal  # noqa: PLC0415 - importable only now

    root = install.DEBIAN_ROOT / "usr"
    text = CONFIGURATION.read_text(encoding="utf-8")
    server = script(tmp_path / "spark-lsp", SPARK, environment(tmp_path / "run") | scripted_answers)
    text = text.replace('command = "spark-lsp"', f'command = "{server}"')
    folder = tmp_path / "config" / "helix"
    folder.mkdir(parents=True)
    (folder / "languages.toml").write_text(text, encoding="utf-8")
    work = write_ledger(tmp_path / "ledger")
    variables = {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    opened = []

    def open_file(place: str) -> tuple[Any, Path]:
        opened.append(Terminal([str(root / "bin" / "hx"), place], work, variables))
        opened[-1].wait("the file", lambda screen: place.partition(":")[0].rpartition("/")[2] in screen)
        return opened[-1], work

    yield open_file
    for terminal in opened:
        terminal.close()
    stop_engine(tmp_path / "run")


def test_a_code_action_writes_a_body(helix: Any) -> None:
    terminal, work = helix("ledger/money.py:18:10")
    path = work / "ledger" / "money.py"
    before = path.read_text(encoding="utf-8")
    terminal.wait("the engine", lambda _screen: ask(terminal, " a", "Implement __radd__"), deadline_s=MODEL_DEADLINE_S)
    terminal.type("\r")
    terminal.wait("a body", lambda screen: "return self" in screen.partition("__radd__")[2].partition("def ")[0],
                  deadline_s=MODEL_DEADLINE_S)  # fmt: skip
    terminal.type(":w\r")
    terminal.wait("the saved file", lambda _screen: path.read_text(encoding="utf-8") != before)
    compile(path.read_text(encoding="utf-8"), "money.py", "exec")


def ask(terminal: Any, keys: str, expected: str) -> bool:
    """Open a menu; close it again if it lacks the expected entry."""
    terminal.type(keys)
    try:
        terminal.wait("the menu", lambda screen: bool(re.search(expected, screen)), deadline_s=5)
    except AssertionError:
        terminal.type("\x1b\x1b")
        return False
    return True
