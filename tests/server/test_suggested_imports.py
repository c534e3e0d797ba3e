"""The imports of an accepted suggestion over the wire: by the command of ghost text, with an entry of a menu."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from scripts.harness.editor import SCRIPTED, Editor, editor, listen

pytestmark = pytest.mark.slow

WORKSPACE = "#- shop/__init__.py\n#- shop/price.py\nclass Price:\n    pass\n#- cart.py\n"
BEFORE = "import os\n\nvalue = os.sep, $0\n"


async def _accepted(window: Editor, text: str) -> types.Position:
    """Accept the suggestion at ``$0`` as an editor does: its text, then its command."""
    await window.ready()
    at = window.open("cart.py", text)
    item = await window.complete("cart.py", at)
    assert item is not None
    assert item.command is not None
    end = window.type("cart.py", at, str(item.insert_text))
    command = types.ExecuteCommandParams(item.command.command, item.command.arguments)
    await window.client.workspace_execute_command_async(command)
    return end


async def test_an_accepted_name_is_imported(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "Price()")) as window:
        applied: asyncio.Future[types.ApplyWorkspaceEditParams] = asyncio.get_running_loop().create_future()

        def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            applied.set_result(params)
            return types.ApplyWorkspaceEditResult(applied=True)

        listen(window.client, types.WORKSPACE_APPLY_EDIT, apply)
        await _accepted(window, BEFORE)
        params = await asyncio.wait_for(applied, 60)
        assert params.label == "Import Price from shop.price"
        (document,) = params.edit.document_changes or ()
        assert isinstance(document, types.TextDocumentEdit)
        assert document.text_document.version == window.versions["cart.py"]
        (change,) = document.edits
        assert isinstance(change, types.TextEdit)
        assert change.range.start == change.range.end == types.Position(2, 0)
        assert change.new_text == "from shop.price import Price\n\n"


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("from shop.price import Price\n\nvalue = $0\n", {}),
        (BEFORE, {"completion": {"addImports": False}}),
        ("Price = 1\nvalue = $0\n", {}),
    ],
    ids=["imported", "switched off", "defined here"],
)
async def test_nothing_is_imported(text: str, settings: dict[str, Any], tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "Price()"), settings=settings) as window:
        asked: list[Any] = []
        listen(window.client, types.WORKSPACE_APPLY_EDIT, asked.append)
        end = await _accepted(window, text)
        window.type("cart.py", end, "\n")
        await window.send("spark/log", {})
        assert asked == []


async def test_an_entry_of_a_menu_brings_its_import(tmp_path: Path) -> None:
    settings = {"completion": {"asCompletionItem": True}}
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "Price()"), settings=settings) as window:
        await window.ready()
        at = window.open("cart.py", BEFORE)
        document = types.TextDocumentIdentifier(window.uri("cart.py"))
        answer = await window.client.text_document_completion_async(types.CompletionParams(document, at))
        assert isinstance(answer, types.CompletionList)
        (item,) = answer.items
        (change,) = item.additional_text_edits or ()
        assert change.new_text == "from shop.price import Price\n\n"
