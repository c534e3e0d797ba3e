"""Cells of a notebook, which editors open as documents of their own."""

from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from scripts.harness.editor import SCRIPTED, Editor, editor
from spark_lsp.completion.open_texts import OpenTexts
from spark_lsp.server.convert import changed
from spark_lsp.text.snapshot import notebook_of

pytestmark = pytest.mark.slow

WORKSPACE = "#- books.py\ndef open_book(path):\n    return path\n"
FIRST = "%matplotlib inline\n!pip list\n\nquarterly_totals = [1, 2]\nyearly_totals = 3\ntax_rate = 0.2\n"
SECOND = "import books\n\nprint("


def _cell(root: Path, number: int) -> str:
    path = (root / "my ledger.ipynb").as_uri().removeprefix("file://")
    return f"vscode-notebook-cell:{path}#W{number}sZmlsZQ%3D%3D"


async def test_names_of_another_cell_are_known_and_the_prompt_names_the_notebook(tmp_path: Path) -> None:
    answer = "quarterly_totals, yearly_totals, tax_rate)"
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, answer)) as window:
        await window.ready()
        for number, text in enumerate((FIRST, SECOND), 1):
            item = types.TextDocumentItem(_cell(window.root, number), "python", 1, text)
            window.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        document = types.TextDocumentIdentifier(_cell(window.root, 2))
        position = types.Position(2, 6)
        automatic = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic)
        asked = types.InlineCompletionParams(automatic, document, position)
        items = (await window.client.text_document_inline_completion_async(asked)).items
        assert [item.insert_text for item in items] == [answer]
        shown = await window.client.protocol.send_request_async(
            "spark/context", {"textDocument": {"uri": document.uri}, "position": {"line": 2, "character": 6}}
        )
        own = {segment.path for segment in shown.segments if segment.kind in {"prefix", "suffix"}}
        assert own == {"my ledger.ipynb"}


NOTEBOOK = "ledger.ipynb"
CELLS = (
    "%matplotlib inline\nquarterly_totals = [1, 2]\n",
    "# A note\n",
    "!pip list\ndef grand_total(totals):\n    return sum(totals)\n",
    "print(",
    "yearly = grand_total(quarterly_totals)\n",
)


class _Notebook:
    """A notebook that is opened by notebook synchronisation."""

    def __init__(self, window: Editor, texts: tuple[str, ...] = CELLS) -> None:
        self.window = window
        self.uri = (window.root / NOTEBOOK).as_uri()
        self.versions = {self.cell(number): 1 for number in range(len(texts))}
        kinds = [
            types.NotebookCellKind.Markup if number == 1 else types.NotebookCellKind.Code
            for number in range(len(texts))
        ]
        document = types.NotebookDocument(
            self.uri,
            "jupyter-notebook",
            1,
            [types.NotebookCell(kind, self.cell(number)) for number, kind in enumerate(kinds)],
            metadata={"kernelspec": {"name": "quokka"}},
        )
        items = [
            types.TextDocumentItem(self.cell(number), "markdown" if number == 1 else "python", 1, text)
            for number, text in enumerate(texts)
        ]
        window.client.notebook_document_did_open(types.DidOpenNotebookDocumentParams(document, items))

    def cell(self, number: int) -> str:
        """A cell by its number when the notebook was opened; some clients give cells the notebook's own scheme."""
        return f"{self.uri}#cell{number}"

    def changed(self, change: types.NotebookDocumentCellChanges) -> None:
        event = types.NotebookDocumentChangeEvent(cells=change)
        document = types.VersionedNotebookDocumentIdentifier(version=2, uri=self.uri)
        self.window.client.notebook_document_did_change(types.DidChangeNotebookDocumentParams(document, event))

    def typed(self, number: int, text: str) -> None:
        """Replace a cell's text."""
        uri = self.cell(number)
        self.versions[uri] += 1
        whole = types.TextDocumentContentChangeWholeDocument(text)
        document = types.VersionedTextDocumentIdentifier(version=self.versions[uri], uri=uri)
        self.changed(
            types.NotebookDocumentCellChanges(
                text_content=[types.NotebookDocumentCellContentChanges(document, [whole])]
            )
        )

    async def shown(self, number: int, line: int, character: int) -> Any:
        """What the model is shown at a place of a cell."""
        parameters = {
            "textDocument": {"uri": self.cell(number)},
            "position": {"line": line, "character": character},
            "prompt": True,
        }
        return await self.window.client.protocol.send_request_async("spark/context", parameters)


async def test_a_synchronised_notebook_is_one_document_in_the_order_of_its_cells(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "quarterly_totals)")) as window:
        await window.ready()
        notebook = _Notebook(window)
        asked = types.InlineCompletionParams(
            types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
            types.TextDocumentIdentifier(notebook.cell(3)),
            types.Position(0, 6),
        )
        (item,) = (await window.client.text_document_inline_completion_async(asked)).items
        assert item.insert_text == "quarterly_totals)"
        assert item.range == types.Range(types.Position(0, 6), types.Position(0, 6))
        shown = await notebook.shown(3, 0, 6)
        assert {segment.path for segment in shown.segments if segment.kind in {"prefix", "suffix"}} == {NOTEBOOK}
        assert shown.prompt.index("quarterly_totals = [1, 2]") < shown.prompt.index("def grand_total(")
        assert "yearly = grand_total(" in shown.prompt
        for hidden in ("quokka", "A note", "#cell", "!pip"):
            assert hidden not in shown.prompt


async def test_cells_that_move_come_and_go_are_followed(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "x")) as window:
        await window.ready()
        notebook = _Notebook(window)
        notebook.typed(4, "weekly = 52\n")
        first = types.NotebookCellArrayChange(start=4, delete_count=1, cells=[])
        notebook.changed(
            types.NotebookDocumentCellChanges(structure=types.NotebookDocumentCellChangeStructure(array=first))
        )
        moved = types.NotebookCellArrayChange(0, 0, [types.NotebookCell(types.NotebookCellKind.Code, notebook.cell(4))])
        notebook.changed(
            types.NotebookDocumentCellChanges(structure=types.NotebookDocumentCellChangeStructure(array=moved))
        )
        shown = await notebook.shown(3, 0, 6)
        assert shown.prompt.index("weekly = 52") < shown.prompt.index("quarterly_totals = [1, 2]")
        gone = types.NotebookDocumentCellChangeStructure(
            types.NotebookCellArrayChange(1, 1, []), did_close=[types.TextDocumentIdentifier(notebook.cell(0))]
        )
        notebook.changed(types.NotebookDocumentCellChanges(structure=gone))
        assert "quarterly_totals = [1, 2]" not in (await notebook.shown(3, 0, 6)).prompt
        closed = [types.TextDocumentIdentifier(notebook.cell(number)) for number in range(1, 5)]
        identifier = types.NotebookDocumentIdentifier(notebook.uri)
        window.client.notebook_document_did_close(types.DidCloseNotebookDocumentParams(identifier, closed))
        assert await notebook.shown(3, 0, 6) is None


async def test_an_action_knows_the_other_cells_and_edits_its_own(tmp_path: Path) -> None:
    """What a cell computes may be used in any later one, so the function has to return it."""
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "sums")) as window:
        await window.ready()
        texts = (
            "%matplotlib inline\nnumbers = [1, 2]\n",
            "# A note\n",
            "!ls\nsmall = min(numbers)\nlarge = max(numbers)\n",
            "print(large)",
        )
        notebook = _Notebook(window, texts)
        edit = await _extracted(notebook, types.Range(types.Position(1, 0), types.Position(3, 0)))
        assert edit is not None
        (change,) = edit.document_changes
        assert change.text_document.uri == notebook.cell(2)
        edits = [
            types.TextDocumentContentChangePartial(range=text_edit.range, text=text_edit.new_text)
            for text_edit in change.edits
        ]
        after = changed(texts[2], list(reversed(edits)), "utf-16")
        assert "return small, large" in after
        assert after.endswith("!ls\nsmall, large = sums()\n")


async def test_a_broken_cell_keeps_no_action_from_the_others(tmp_path: Path) -> None:
    """The names of the broken cell count as used, so the function still returns what it needs."""
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "sums")) as window:
        await window.ready()
        cells = ("numbers = [1]\n", "# A note\n", "small = min(numbers)\nlarge = max(numbers)\n", "print(small")
        notebook = _Notebook(window, cells)
        edit = await _extracted(notebook, types.Range(types.Position(0, 0), types.Position(2, 0)))
        assert edit is not None, window.messages
        (change,) = edit.document_changes
        assert change.text_document.uri == notebook.cell(2)
        assert any("return small" in text_edit.new_text for text_edit in change.edits)


async def test_an_edit_of_a_shell_line_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "sums")) as window:
        await window.ready()
        notebook = _Notebook(
            window, ("numbers = [1]\n", "# A note\n", "small = min(numbers)\n!ls\nlarge = small + 1\n", "print(large)")
        )
        assert await _extracted(notebook, types.Range(types.Position(0, 0), types.Position(3, 0))) is None
        assert any("shell line" in message for message in window.messages), window.messages


async def _extracted(notebook: _Notebook, place: types.Range) -> Any:
    """The edit of extract.function at a place of the third cell."""
    client = notebook.window.client
    converter = client.protocol._converter
    converter.register_structure_hook(
        types.Command | types.CodeAction, lambda action, _type: converter.structure(action, types.CodeAction)
    )
    identifier = types.TextDocumentIdentifier(notebook.cell(2))
    parameters = types.CodeActionParams(identifier, place, types.CodeActionContext([]))
    listed = await client.text_document_code_action_async(parameters) or []
    actions = [entry for entry in listed if isinstance(entry, types.CodeAction) and entry.data is not None]
    (action,) = [action for action in actions if action.data["id"] == "extract.function"]
    return (await client.code_action_resolve_async(action)).edit


def test_the_notebook_of_a_cell() -> None:
    assert notebook_of("vscode-notebook-cell:/a/my%20book.ipynb#W1sZmlsZQ%3D%3D") == Path("/a/my book.ipynb")
    assert notebook_of("untitled:Untitled-1") is None
    assert notebook_of("file:///a/b.py") is None


def test_the_names_of_a_document_go_with_it() -> None:
    texts = OpenTexts()
    texts.put("untitled:1", "tax_rate = 0.2")
    assert texts.has_name("tax_rate")
    assert not texts.has_name("tax")
    texts.put("untitled:1", "rate = 0.2")
    assert not texts.has_name("tax_rate")
    texts.drop("untitled:1")
    assert not texts.has_name("rate")
