"""Cells of a notebook, which editors open as documents of their own."""

from pathlib import Path

import pytest
from lsprotocol import types

from scripts.harness.editor import SCRIPTED, editor
from spark_lsp.completion.open_texts import OpenTexts
from spark_lsp.text.document import notebook_of

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
