"""The whole way in a real VS Code: keys, extension, server, engine, the embedded model, ghost text, code actions.

Each test leaves pictures in ``artifacts/vscode``; those of the extension's README were taken here.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.editors.shop import SPARK, engine_pid, environment, stop_engine, write_ledger

pytestmark = [pytest.mark.editor, pytest.mark.model]

REPORT, MONEY, ACCOUNT = "ledger/report.py", "ledger/money.py", "ledger/account.py"
MODEL_DEADLINE_S = 120
"""Loading and reading on a machine that is busy with other work."""
SETTINGS = {
    # The embedded model is slow where other work goes on; a user's deadline is no part of these tests.
    "spark.completion.deadlineMs": 20_000,
    # Nor is how sure the small model happens to be: that depends on how much of the workspace it has read by then.
    # Neovim's end-to-end tests have the default.
    "spark.completion.minConfidence": 0,
    "spark.completion.maxLines": 3,
    "editor.autoClosingBrackets": "never",
    "editor.autoClosingQuotes": "never",
    "editor.fontSize": 15,
}


@pytest.fixture
def vscode(open_vscode: Callable[..., Any], tmp_path: Path) -> Iterator[Any]:
    """A window on the sample workspace with the real server, the model loaded and the workspace indexed."""
    ledger = write_ledger(tmp_path / "ledger")
    window = open_vscode(ledger, SPARK, variables=environment(tmp_path / "run"), settings=SETTINGS)
    window.wait_status("Ready", deadline_s=MODEL_DEADLINE_S)
    yield window
    window.close()
    stop_engine(tmp_path / "run")


@pytest.fixture
def scripted_vscode(open_vscode: Callable[..., Any], scripted_answers: dict[str, str], tmp_path: Path) -> Iterator[Any]:
    """The same window, with scripted answers: the embedded model writes a body that passes the checks now and then."""
    ledger = write_ledger(tmp_path / "ledger")
    variables = environment(tmp_path / "run") | scripted_answers
    window = open_vscode(ledger, SPARK, variables=variables, settings=SETTINGS)
    window.wait_status("Ready", deadline_s=MODEL_DEADLINE_S)
    yield window
    window.close()
    stop_engine(tmp_path / "run")


def cut(vscode: Any, name: str, line_start: str, rest: str) -> tuple[str, str]:
    """Open a file at the place where a line's rest was taken away; return the text before and after the cursor."""
    path = vscode.workspace / name
    before, marker, after = path.read_text(encoding="utf-8").partition(line_start + rest)
    assert marker
    before += line_start
    path.write_text(before + after, encoding="utf-8")
    vscode.open(name)
    vscode.go_to(before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
    return before, after


def test_ghost_text_with_another_file_in_its_prompt_and_tab_accepts(vscode: Any) -> None:
    before, after = cut(vscode, REPORT, "sums.get(tag, Money()) + ", "entry.amount")
    vscode.type("entry.am")
    vscode.wait_ghost(deadline_s=MODEL_DEADLINE_S)
    vscode.wait_text(REPORT, f"{before}entry.am{after}")  # ghost text is not in the buffer
    vscode.picture("ghost-text")

    vscode.press("Control+b")  # room for two columns
    vscode.command("Spark: Show Context at Cursor")
    page = vscode.webview("gathered in")
    rows = page.locator("table tr").all_inner_texts()
    assert any("ledger/entry.py" in row for row in rows), rows
    assert "amount: Money" in page.locator("pre").last.text_content()
    vscode.picture("context")

    vscode.focus_editor()
    vscode.ask()
    shown = vscode.wait_ghost(deadline_s=MODEL_DEADLINE_S)
    vscode.press("Tab")
    vscode.wait_text(REPORT, f"{before}entry.am{shown}{after}")


def test_a_word_is_accepted_and_the_rest_stays(vscode: Any) -> None:
    before, after = cut(vscode, MONEY, "def __add__", '(self, other: "Money") -> "Money":')
    vscode.type("(")
    vscode.ask()  # the model is not sure enough to speak up by itself
    shown = vscode.wait_ghost(deadline_s=MODEL_DEADLINE_S)
    vscode.press("Control+ArrowRight")
    start = f"{before}("
    whole = vscode.wait(
        "a word", lambda: (text := vscode.text(MONEY)).startswith(start) and text != start + after and text
    )
    taken = whole.removeprefix(start).removesuffix(after)
    assert shown.startswith(taken)
    assert taken != shown
    vscode.wait("the rest", lambda: vscode.ghost() and shown.startswith(taken + vscode.ghost()))
    vscode.press("Tab")
    vscode.wait("all of it", lambda: vscode.text(MONEY).startswith(start + shown.split("\n")[0]))


def test_a_code_action_writes_a_body(scripted_vscode: Any) -> None:
    vscode = scripted_vscode
    vscode.open(MONEY)
    before = vscode.text(MONEY)
    vscode.go_to(before[: before.index("def __radd__")].count("\n") + 1, 10)
    vscode.press("Control+.")
    row = vscode.page.locator(".action-widget .monaco-list-row", has_text="Implement __radd__").first
    row.wait_for()
    vscode.picture("code-action")
    row.click()
    vscode.wait("a body", lambda: vscode.text(MONEY) != before, deadline_s=MODEL_DEADLINE_S)
    vscode.picture("code-action-done")
    after = vscode.text(MONEY)
    compile(after, MONEY, "exec")
    assert "        return self + other\n" in after
    assert after.partition("def __radd__")[0] == before.partition("def __radd__")[0]
    assert after.partition("def __str__")[2] == before.partition("def __str__")[2]
    vscode.focus_editor()
    vscode.press("Control+z")
    vscode.wait_text(MONEY, before)


def test_selected_lines_become_a_function_and_one_undo_takes_it_back(vscode: Any) -> None:
    vscode.open(REPORT)
    before = vscode.text(REPORT)
    moved = before[before.index("        lines.append(account.name)") : before.index('    lines.append(line("worth"')]
    vscode.go_to(before.partition(moved)[0].count("\n") + 1, 1)
    vscode.press(*["Shift+ArrowDown"] * (moved.count("\n") - 1), "Shift+End", "Control+.")
    row = vscode.page.locator(".action-widget .monaco-list-row", has_text="Extract function").first
    row.wait_for()
    row.click()
    vscode.wait("a function", lambda: vscode.text(REPORT) != before, deadline_s=MODEL_DEADLINE_S)
    after = vscode.text(REPORT)
    compile(after, REPORT, "exec")
    assert after.count("\ndef ") == before.count("\ndef ") + 1
    assert moved not in after
    assert all(after.count(line.strip()) == before.count(line.strip()) for line in moved.splitlines())
    vscode.picture("extracted")
    vscode.focus_editor()
    vscode.press("Control+z")
    vscode.wait_text(REPORT, before)


def test_an_action_has_a_command_of_its_own(scripted_vscode: Any) -> None:
    vscode = scripted_vscode
    vscode.open(MONEY)
    before = vscode.text(MONEY)
    vscode.go_to(before[: before.index("def __radd__")].count("\n") + 1, 10)
    vscode.command("Spark: Implement Body")
    vscode.wait("a body", lambda: vscode.text(MONEY) != before, deadline_s=MODEL_DEADLINE_S)


def test_a_killed_engine_comes_back(vscode: Any, tmp_path: Path) -> None:
    cut(vscode, REPORT, "sums.get(tag, Money()) + ", "entry.amount")
    vscode.type("entry.am")
    vscode.wait_ghost(deadline_s=MODEL_DEADLINE_S)
    killed = engine_pid(tmp_path / "run")
    os.kill(killed, signal.SIGKILL)
    vscode.wait("the engine to be gone", lambda: not psutil.pid_exists(killed))
    # What was shown before is not asked for again.
    before, after = cut(vscode, ACCOUNT, "balance = self.balance() + ", "entry.amount")
    vscode.type("entry.am")
    vscode.wait("another engine", lambda: engine_pid(tmp_path / "run") not in {0, killed}, deadline_s=MODEL_DEADLINE_S)
    vscode.wait_status("Ready", deadline_s=MODEL_DEADLINE_S)
    vscode.ask()
    shown = vscode.wait_ghost(deadline_s=MODEL_DEADLINE_S)
    vscode.press("Tab")
    vscode.wait_text(ACCOUNT, f"{before}entry.am{shown}{after}")


def test_the_doctor_and_the_log_open_as_pages(vscode: Any) -> None:
    before, _after = cut(vscode, REPORT, "sums.get(tag, Money()) + ", "entry.amount")
    assert before
    vscode.type("entry.am")
    vscode.wait_ghost(deadline_s=MODEL_DEADLINE_S)
    vscode.command("Spark: Show Request Log")
    vscode.wait("the log", lambda: "completion.stream" in vscode.pages())
    vscode.focus_editor()
    vscode.command("Spark: Run Doctor")
    variants = ("that is needed works.", "that is needed does not work.")
    vscode.wait("the diagnosis", lambda: any(part in vscode.pages() for part in variants), deadline_s=MODEL_DEADLINE_S)
