"""Mechanical code actions over the wire: one edit of the document, CRLF and all, a refusal in one sentence."""

from pathlib import Path

import pytest
from lsprotocol import types

from scripts.harness.editor import SCRIPTED, Editor, capabilities, editor
from spark_lsp.server.convert import changed

pytestmark = pytest.mark.slow

WORKSPACE = "#- a.py\ndef alpha(x):\n    return x\n"
BEFORE = (
    "def report(rows):\r\n    # größe 🦎\r\n    n = 0\r\n"
    "    for row in rows:\r\n        n += row.size\r\n    return n\r\n"
)
AFTER = (
    "def sum_sizes(rows, n):\r\n    for row in rows:\r\n        n += row.size\r\n    return n\r\n\r\n\r\n"
    "def report(rows):\r\n    # größe 🦎\r\n    n = 0\r\n    n = sum_sizes(rows, n)\r\n    return n\r\n"
)


async def _available(
    window: Editor, place: types.Range, trigger: types.CodeActionTriggerKind | None = None
) -> list[types.CodeAction]:
    converter = window.client.protocol._converter
    converter.register_structure_hook(
        types.Command | types.CodeAction, lambda action, _type: converter.structure(action, types.CodeAction)
    )
    answer = await window.client.text_document_code_action_async(
        types.CodeActionParams(
            types.TextDocumentIdentifier(window.uri("b.py")),
            place,
            types.CodeActionContext(diagnostics=[], trigger_kind=trigger),
        )
    )
    return [action for action in answer or [] if isinstance(action, types.CodeAction)]


def _lines(first: int, last: int, character: int = 0) -> types.Range:
    return types.Range(types.Position(first, 0), types.Position(last, character))


async def test_a_function_is_extracted_in_one_edit(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "sum_sizes")) as window:
        await window.ready()
        window.open("b.py", BEFORE)
        available = await _available(window, _lines(3, 5))
        assert await window.reasons() == [], "listing asked the model"
        (action,) = [listed for listed in available if listed.kind == "refactor.extract.function"]
        edit = (await window.client.code_action_resolve_async(action)).edit
        assert edit is not None
        assert edit.document_changes is not None
        (document,) = edit.document_changes
        assert isinstance(document, types.TextDocumentEdit)
        assert document.text_document.version == 1
        changes = [
            types.TextDocumentContentChangePartial(range=text_edit.range, text=text_edit.new_text)
            for text_edit in document.edits
        ]
        assert changed(BEFORE, list(reversed(changes)), "utf-16") == AFTER


async def test_an_older_version_is_refused(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "sum_sizes")) as window:
        await window.ready()
        window.open("b.py", BEFORE)
        (action,) = [listed for listed in await _available(window, _lines(3, 5)) if listed.title == "Extract function"]
        window.type("b.py", types.Position(0, 0), "# ")
        assert (await window.client.code_action_resolve_async(action)).edit is None
        await window.until(lambda w: w.messages)
        assert "has changed since" in window.messages[-1]


async def test_what_is_unsafe_is_refused_with_the_reason(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "sum_sizes")) as window:
        await window.ready()
        window.open("b.py", "def f(xs):\n    for x in xs:\n        if x:\n            break\n")
        (action,) = [
            listed for listed in await _available(window, _lines(2, 3, 17)) if listed.title == "Extract function"
        ]
        assert (await window.client.code_action_resolve_async(action)).edit is None
        await window.until(lambda w: w.messages)
        assert window.messages == ["Spark: The selection contains a break of an outer loop."]
        assert await window.reasons() == ["gate.unsafe"]


async def test_a_list_that_was_asked_for_says_what_would_be_refused(tmp_path: Path) -> None:
    says = capabilities()
    assert says.text_document is not None
    assert says.text_document.code_action is not None
    says.text_document.code_action.disabled_support = True
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "sum_sizes"), says=says) as window:
        await window.ready()
        window.open("b.py", "def f(xs):\n    for x in xs:\n        if x:\n            break\n")
        kinds = types.CodeActionTriggerKind
        for trigger, reason in (
            (kinds.Invoked, "The selection contains a break of an outer loop."),
            (kinds.Automatic, ""),
        ):
            available = await _available(window, _lines(2, 3, 17), trigger)
            (action,) = [listed for listed in available if listed.title == "Extract function"]
            assert (action.disabled.reason if action.disabled else "") == reason
            assert (action.data is None) == bool(reason)
        assert await window.reasons() == []
