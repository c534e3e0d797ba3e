"""The whole way in a real Neovim: keys, server, engine, the embedded model, ghost text, acceptance.

Only the body that a code action writes comes from a scripted endpoint: the embedded model writes one that passes the
checks now and then.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.editors.shop import SPARK, engine_pid, environment, stop_engine, write, write_ledger

pytestmark = [pytest.mark.editor, pytest.mark.model]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace of several files, and an engine of this test's own that is stopped at the end."""
    for name, value in environment(tmp_path / "run").items():
        monkeypatch.setenv(name, value)
    yield write(tmp_path / "shop")
    stop_engine(tmp_path / "run")


def context_at_cursor(editor: Any) -> dict[str, Any]:
    """What the model would be shown. The server answers when the engine is up, so this waits for the model too."""
    params = editor.lua("return vim.lsp.util.make_position_params(0, vim.lsp.get_clients()[1].offset_encoding)")
    return editor.request("spark/context", params, deadline_s=120)


def test_a_real_model_writes_and_tab_accepts(start_neovim: Callable[..., Any], shop: Path) -> None:
    editor = start_neovim([*SPARK, "serve", "--stdio"])
    editor.open(shop / "shop" / "invoice.py")
    editor.type("G")
    # The engine may be up before the index is.
    editor.wait(
        "another file in the context",
        lambda: "shop/models.py" in {segment["path"] for segment in context_at_cursor(editor)["segments"]},
        deadline_s=60,
    )

    editor.type("oresult = ")
    shown = editor.wait("ghost text by the model", editor.settled_ghost, deadline_s=60)
    typed = editor.text()
    assert typed.endswith('"""\n    result = '), "ghost text is not in the buffer"
    assert editor.screen(editor.cursor()[0]).endswith("result = " + shown.split("\n")[0])

    editor.type("<Tab>")
    editor.wait_text(typed + shown)
    assert editor.ghost() == ""
    assert "ok" in [record["reason"] for record in editor.request("spark/log")["requests"]]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The sample workspace, and an engine of this test's own that is stopped at the end."""
    for name, value in environment(tmp_path / "run").items():
        monkeypatch.setenv(name, value)
    yield write_ledger(tmp_path / "ledger")
    stop_engine(tmp_path / "run")


def test_a_code_action_writes_a_body(
    start_neovim: Callable[..., Any], ledger: Path, scripted_answers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in scripted_answers.items():
        monkeypatch.setenv(name, value)
    editor = start_neovim([*SPARK, "serve", "--stdio"])
    editor.open(ledger / "ledger" / "money.py")
    context_at_cursor(editor)
    before = editor.text()
    editor.api.command("call search('def __radd__')")
    editor.lua("""
    vim.lsp.buf.code_action({
      filter = function(action) return vim.startswith(action.title, "Implement") end,
      apply = true,
    })
    """)
    editor.wait("a body", lambda: editor.text() != before, deadline_s=120)
    compile(editor.text(), "money.py", "exec")
    assert "        return self + other\n" in editor.text()
    assert editor.text().partition("def __str__")[2] == before.partition("def __str__")[2]


def test_selected_lines_become_a_function_and_one_undo_takes_it_back(
    start_neovim: Callable[..., Any], ledger: Path
) -> None:
    editor = start_neovim([*SPARK, "serve", "--stdio"])
    editor.open(ledger / "ledger" / "report.py")
    context_at_cursor(editor)
    before = editor.text()
    first = next(number for number, line in enumerate(before.split("\n"), 1) if "lines.append(account.name)" in line)
    last = next(number for number, line in enumerate(before.split("\n"), 1) if '"  balance"' in line)
    moved = before.split("\n")[first - 1 : last]
    editor.lua(
        """
        local first, last, column = ...
        vim.lsp.buf.code_action({
          range = { start = { first, 0 }, ["end"] = { last, column } },
          filter = function(action) return action.title == "Extract function" end,
          apply = true,
        })
        """,
        *(first, last, len(moved[-1])),
    )
    editor.wait("a function", lambda: editor.text() != before, deadline_s=120)
    after = editor.text()
    compile(after, "report.py", "exec")
    assert after.count("\ndef ") == before.count("\ndef ") + 1
    assert all(after.count(line.strip()) == before.count(line.strip()) for line in moved)
    editor.type("u")
    editor.wait_text(before)


def test_a_killed_engine_comes_back(start_neovim: Callable[..., Any], ledger: Path, tmp_path: Path) -> None:
    editor = start_neovim([*SPARK, "serve", "--stdio"])
    editor.open(ledger / "ledger" / "report.py")
    context_at_cursor(editor)
    editor.api.command("call search('entry.amount')")
    editor.type("Centry.am")
    editor.wait("ghost text by the model", editor.settled_ghost, deadline_s=60)
    killed = engine_pid(tmp_path / "run")
    os.kill(killed, signal.SIGKILL)
    editor.type("<Esc>")
    editor.open(ledger / "ledger" / "account.py")  # what was shown before is not asked for again
    editor.api.command("call search('entry.amount')")
    editor.type("Centry.am")
    editor.wait("another engine", lambda: engine_pid(tmp_path / "run") not in {0, killed}, deadline_s=120)
    context_at_cursor(editor)
    editor.type("o")
    shown = editor.wait("ghost text by the new engine", editor.settled_ghost, deadline_s=60)
    editor.type("<Tab>")
    editor.wait("the accepted text", lambda: f"entry.amo{shown}" in editor.text())
