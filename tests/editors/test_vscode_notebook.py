"""A notebook in a real VS Code: a cell is completed with a name of an earlier cell, and has code actions."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.editors.shop import SPARK, environment, stop_engine

pytestmark = pytest.mark.editor

NOTEBOOK = "figures.ipynb"
CELLS = (
    ("code", "%matplotlib inline\nquarterly_totals = [1, 2]"),
    ("markdown", "# Totals"),
    ("code", "def grand_total(totals):\n    return sum(totals)"),
    ("code", "yearly = "),
)
READY_S = 120.0
"""The first notebook of a window loads an extension of VS Code's own."""
EDITOR = ".notebookOverlay .monaco-editor"


@pytest.fixture
def notebook(open_vscode: Callable[..., Any], scripted_answers: dict[str, str], tmp_path: Path) -> Iterator[Any]:
    """A window with a notebook, whose model knows a name only when its definition is in the prompt."""
    folder = tmp_path / "work"
    folder.mkdir()
    cells = [
        {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True)}
        | ({"execution_count": None, "outputs": []} if kind == "code" else {})
        for kind, text in CELLS
    ]
    metadata = {"language_info": {"name": "python"}}
    text = json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
    (folder / NOTEBOOK).write_text(text, encoding="utf-8")
    settings = {"spark.completion.minConfidence": 0, "editor.autoClosingBrackets": "never"}
    variables = environment(tmp_path / "run") | scripted_answers
    window = open_vscode(folder, SPARK, variables=variables, settings=settings)
    window.wait_status("Ready", deadline_s=READY_S)
    yield NotebookWindow(window)
    window.close()
    stop_engine(tmp_path / "run")


class NotebookWindow:
    """A window whose front page is the notebook."""

    def __init__(self, window: Any) -> None:
        self.window = window
        self.keys = window.page.keyboard
        self.keys.press("Control+p")
        window.page.locator(".quick-input-widget input[type=text]").fill(NOTEBOOK)
        window.page.locator(".quick-input-list .monaco-list-row", has_text=NOTEBOOK).first.wait_for()
        self.keys.press("Enter")
        window.wait("the cells", lambda: self._cell("yearly = ").count(), deadline_s=READY_S)

    def edit(self, text: str) -> None:
        """Put the cursor at the end of the line of a cell that holds a text."""
        self._cell(text).click()
        self.window.page.locator(f"{EDITOR}.focused").wait_for()
        self.keys.press("End")

    def ghost(self) -> str:
        """The ghost text in the cell that has the focus."""
        parts = self.window.page.locator(f"{EDITOR}.focused .view-lines [class*=ghost-text-decoration]")
        return "".join(parts.all_inner_texts()).replace("\xa0", " ")

    def cells(self) -> list[str]:
        """The texts of the saved notebook's cells."""
        if self.window.page.locator(".tab.active.dirty").count():
            self.keys.press("Control+s")
            self.window.page.locator(".tab.active:not(.dirty)").wait_for()
        saved = json.loads((self.window.workspace / NOTEBOOK).read_text(encoding="utf-8"))
        return ["".join(cell["source"]) for cell in saved["cells"]]

    def _cell(self, text: str) -> Any:
        return self.window.page.locator(f"{EDITOR} .view-line", has_text=text).last


def test_a_cell_is_completed_with_a_name_of_an_earlier_one(notebook: NotebookWindow) -> None:
    window = notebook.window
    notebook.edit("yearly = ")
    window.type("grand_total(quart")
    window.wait("ghost text in the cell", lambda: notebook.ghost() == "erly_totals)", deadline_s=READY_S)
    window.picture("notebook")
    window.press("Tab")
    completed = [text for _, text in CELLS[:3]] + ["yearly = grand_total(quarterly_totals)"]
    window.wait("the completed cell", lambda: notebook.cells() == completed)


def test_a_code_action_edits_its_cell_and_no_other(notebook: NotebookWindow) -> None:
    window = notebook.window
    notebook.edit("return")
    window.press(*["Shift+ArrowLeft"] * len("sum(totals)"), "Control+.")
    row = window.page.locator(".action-widget .monaco-list-row", has_text="Extract variable").first
    row.wait_for()
    window.picture("notebook-code-action")
    row.click()
    window.wait("an edit", lambda: notebook.cells() != [text for _, text in CELLS])
    after = notebook.cells()
    lines = after[2].splitlines()
    assert lines[1].endswith(" = sum(totals)"), after[2]
    assert lines[2] == f"    return {lines[1].split()[0]}"
    assert after[:2] + after[3:] == [text for number, (_, text) in enumerate(CELLS) if number != 2]
