"""Kate on a private screen with the real server: the text in its completion menu, and code actions.

Pictures are left in ``artifacts/kate``.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.editors import install
from tests.editors.shop import REPOSITORY, SPARK, environment, script, stop_engine, write, write_ledger
from tests.engine.endpoint import MODEL as ENDPOINT_MODEL

pytestmark = [pytest.mark.editor, pytest.mark.model]

CONFIGURATION = REPOSITORY / "editors" / "kate" / "settings.json"
RECORDER = Path(__file__).parent / "fixtures" / "recorder.py"
MODEL_DEADLINE_S = 90.0
KATERC = """\
[Kate Plugins]
lspclientplugin=true

[General]
Show welcome view for new window=false

[KTextEditor View]
Word Completion=false

[lspclient]
AllowedServerCommandLines={server} serve
"""
TEXT_ROWS = range(100, 450)
"""Where the window has its text: below its bars, above the status."""
POPUP_PIXELS = 800
"""A menu changes more of the text than a key and a blinking cursor do."""

RESTING_LOOKS = 12
"""Looks at the screen, some 20 ms apart, less than the cursor takes to blink."""


class Kate:
    """A window on one file, and the messages between it and the server."""

    def __init__(self, desktop: Any, process: subprocess.Popen[bytes], file: Path, log: Path) -> None:
        self.desktop, self.process, self.file, self._log = desktop, process, file, log

    def messages(self, sender: str, method: str) -> list[dict[str, Any]]:
        """What one side has sent of a method, requests and notifications, the first one first."""
        return [line["message"] for line in self._lines(sender) if line["message"].get("method") == method]

    def answers(self, method: str) -> list[Any]:
        """What the server has answered to a method, errors left out, the first one first."""
        asked = {message.get("id") for message in self.messages("client", method)}
        lines = [line["message"] for line in self._lines("server")]
        return [message["result"] for message in lines if "result" in message and message.get("id") in asked]

    def saved(self) -> str:
        """Save, and return the file's content."""
        before = len(self.messages("client", "textDocument/didSave"))
        self.desktop.press("Control_L+s")
        self.desktop.wait("the saved file", lambda: len(self.messages("client", "textDocument/didSave")) > before)
        return self.file.read_text(encoding="utf-8")

    def _lines(self, sender: str) -> list[dict[str, Any]]:
        text = self._log.read_text(encoding="utf-8") if self._log.exists() else ""
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if line["from"] == sender]


@pytest.fixture
def kate(tmp_path: Path) -> Iterator[Callable[..., Kate]]:
    """Open a file at a place, with the settings that users copy and a recorder before the server."""
    if reason := install.missing("kate"):
        pytest.skip(reason)
    if shutil.which("dbus-run-session") is None:
        pytest.skip("no dbus-run-session here: Kate needs a session bus (package dbus)")
    from tests.editors.desktop import Desktop  # noqa: PLC0415 - importable only now

    desktop = Desktop(REPOSITORY / "artifacts" / "kate")
    log, home = tmp_path / "said.jsonl", tmp_path / "home"
    command = [sys.executable, str(RECORDER), str(log), *SPARK]
    variables = environment(tmp_path / "run")
    opened: list[Kate] = []

    def open_file(file: Path, line: int, column: int, answers: Mapping[str, str] | None = None) -> Kate:
        server = script(tmp_path / "spark-lsp", command, {**variables, **(answers or {})})
        _configure(home, server)
        place = ["--line", str(line), "--column", str(column), str(file)]
        program = ["dbus-run-session", "--", *install.kate_command(), "--new", *place]
        process = subprocess.Popen(
            program, cwd=tmp_path, env=_variables(home, desktop.name), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        opened.append(Kate(desktop, process, file, log))
        desktop.wait(
            "the file at the server",
            lambda: opened[-1].messages("client", "textDocument/didOpen"),
            deadline_s=MODEL_DEADLINE_S,
        )
        return opened[-1]

    yield open_file
    for message in opened:
        os.killpg(message.process.pid, 15)
        message.process.wait(30)
    desktop.close()
    stop_engine(tmp_path / "run")


def _configure(home: Path, server: Path) -> None:
    folder = home / "config" / "kate" / "lspclient"
    folder.mkdir(parents=True)
    text = CONFIGURATION.read_text(encoding="utf-8").replace('"spark-lsp"', json.dumps(str(server)))
    (folder / "settings.json").write_text(text, encoding="utf-8")
    (home / "config" / "katerc").write_text(KATERC.format(server=server), encoding="utf-8")


def _variables(home: Path, display: str) -> dict[str, str]:
    """Return an environment without the user's settings, with the unpacked programs."""
    root = install.KATE_ROOT
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    places = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    return {
        **os.environ,
        **places,
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_DATA_DIRS": str(root / "usr" / "share"),
        "XKB_CONFIG_ROOT": str(root / "usr" / "share" / "X11" / "xkb"),
        "QT_PLUGIN_PATH": str(root / install.LIBRARIES / "qt6" / "plugins"),
        "QT_QPA_PLATFORM": "xcb",
        "LC_ALL": "C.UTF-8",
        "DISPLAY": display,
    }


def test_what_kate_says_of_itself_and_of_the_settings(kate: Callable[..., Kate], tmp_path: Path) -> None:
    work = write_ledger(tmp_path / "ledger")
    editor = kate(work / "ledger" / "money.py", 18, 10)
    (asked,) = [message["params"] for message in editor.messages("client", "initialize")]
    assert asked["rootUri"] == work.as_uri()
    document = asked["capabilities"]["textDocument"]
    assert "inlineCompletion" not in document
    assert "resolveSupport" not in document["codeAction"]
    assert "applyEdit" not in asked["capabilities"]["workspace"]
    (change, *_) = editor.messages("client", "workspace/didChangeConfiguration")
    assert change["params"]["settings"] == {"spark": {"completion": {"asCompletionItem": True}}}


def test_the_menu_shows_the_text_and_return_takes_it(kate: Callable[..., Kate], tmp_path: Path) -> None:
    file = write(tmp_path / "shop") / "shop" / "invoice.py"
    typed = file.read_text(encoding="utf-8") + "    result = "
    file.write_text(typed, encoding="utf-8")
    editor = kate(file, typed.count("\n") + 1, len("    result = ") + 1)
    editor.desktop.wait("the model", lambda: "spark-nano" in statuses(editor), deadline_s=MODEL_DEADLINE_S)
    editor.desktop.press("s", "u")
    taken = editor.desktop.wait("a text", lambda: offered(editor, "b"), deadline_s=MODEL_DEADLINE_S)
    assert taken.startswith("sub")
    editor.desktop.picture("completion")
    editor.desktop.press("Return")
    assert editor.saved().removesuffix("\n") == typed + taken


def test_a_code_action_writes_a_body(
    kate: Callable[..., Kate], scripted_answers: dict[str, str], tmp_path: Path
) -> None:
    file = write_ledger(tmp_path / "ledger") / "ledger" / "money.py"
    before = file.read_text(encoding="utf-8")
    editor = kate(file, 18, 10, scripted_answers)
    editor.desktop.wait("the model", lambda: ENDPOINT_MODEL in statuses(editor), deadline_s=MODEL_DEADLINE_S)
    editor.desktop.wait("a body", lambda: implement(editor), deadline_s=MODEL_DEADLINE_S)
    after = editor.saved()
    compile(after, "money.py", "exec")
    assert "        return self + other\n" in after
    assert after.partition("def __str__")[2] == before.partition("def __str__")[2]


def offered(editor: Kate, key: str) -> str | None:
    """Type one more key of a word and return the text that the menu shows then; take the key back where there is none.

    The menu opens by itself at the third key of a word.
    """
    before, seen = editor.desktop.pixels(), len(editor.answers("textDocument/completion"))
    editor.desktop.press(key)
    editor.desktop.wait("an answer", lambda: len(editor.answers("textDocument/completion")) > seen)
    items = editor.answers("textDocument/completion")[-1]["items"]
    if not items:
        editor.desktop.press("BackSpace")
        return None
    editor.desktop.wait("the menu", lambda: changed(before, at_rest(editor)) > POPUP_PIXELS)
    return items[0]["textEdit"]["newText"]


def at_rest(editor: Kate) -> bytes:
    """Return the screen once it stays the same, because a menu that is being drawn ignores keys."""
    frames: deque[bytes] = deque(maxlen=RESTING_LOOKS)

    def stays() -> bool:
        frames.append(editor.desktop.pixels())
        return len(frames) == RESTING_LOOKS and len(set(frames)) == 1

    editor.desktop.wait("a screen that stays", stays)
    return frames[-1]


def statuses(editor: Kate) -> set[str]:
    """The models that the server has named in its notes."""
    return {message["params"]["model"] for message in editor.messages("server", "spark/status")}


def implement(editor: Kate) -> bool:
    """Choose the action. Kate takes an edit for two seconds after the choice, so a slow machine asks again."""
    seen, done = len(editor.answers("textDocument/codeAction")), len(editor.answers("workspace/executeCommand"))
    editor.desktop.press("Alt_L+Return")
    editor.desktop.wait("the list", lambda: len(editor.answers("textDocument/codeAction")) > seen)
    assert editor.answers("textDocument/codeAction")[-1][0]["title"] == "Implement __radd__"
    editor.desktop.wait("the menu", lambda: editor.desktop.menus() == 1)
    editor.desktop.picture("code-action")
    editor.desktop.press("Down", "Return")
    editor.desktop.wait(
        "the command's answer", lambda: len(editor.answers("workspace/executeCommand")) > done,
        deadline_s=MODEL_DEADLINE_S,
    )  # fmt: skip
    return editor.answers("workspace/executeCommand")[-1] is True


def changed(before: bytes, after: bytes) -> int:
    """Return how many pixels of the text area differ."""
    from tests.editors.desktop import WIDTH  # noqa: PLC0415 - importable only now

    rows = range(TEXT_ROWS.start * WIDTH * 4, TEXT_ROWS.stop * WIDTH * 4, WIDTH * 4)
    drawn = [row for row in rows if before[row : row + WIDTH * 4] != after[row : row + WIDTH * 4]]
    return sum(before[at : at + 4] != after[at : at + 4] for row in drawn for at in range(row, row + WIDTH * 4, 4))
