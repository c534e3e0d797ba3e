"""Next edits over the wire: the answer, acceptance, the step in another file, rejection, undo, and the off switch."""

from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from scripts.harness.editor import Editor, editor

pytestmark = pytest.mark.slow

MODULE = "(item):\n    return item\n\n\nx = price(1)\n"
WORKSPACE = f"#- shop/price.py\ndef price{MODULE}#- shop/cart.py\nfrom shop.price import price\n"
OPENED = f"def price$0{MODULE}"
PATH = "shop/price.py"
RANGE = {"start": {"line": 5, "character": 0}, "end": {"line": 5, "character": 1}}


async def _ask(window: Editor, at: types.Position, version: int | None = None) -> tuple[list[Any], str]:
    document = {"uri": window.uri(PATH), "version": window.versions[PATH] if version is None else version}
    position = {"line": at.line, "character": at.character}
    answer = await window.send("textDocument/copilotInlineEdit", {"textDocument": document, "position": position})
    return list(answer.edits), answer.reason


async def _renamed(window: Editor) -> types.Position:
    """Type ``cost`` over the function's name."""
    await window.ready()
    at = window.open(PATH, OPENED)
    start = types.Position(at.line, at.character - len("price"))
    window.change(PATH, types.Range(start, at), "")
    return window.type(PATH, start, "cost")


def _place(edit: Any) -> tuple[int, int, int]:
    start, end = edit.range.start, edit.range.end
    assert start.line == end.line
    return start.line, start.character, end.character


def _accept(window: Editor, edit: Any) -> types.ExecuteCommandParams:
    (argument,) = edit.command.arguments
    return types.ExecuteCommandParams(command=edit.command.command, arguments=[{"id": argument.id}])


async def test_a_renaming_is_followed_through_two_files(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        at = await _renamed(window)
        (edit,), reason = await _ask(window, at)
        assert (reason, edit.text, _place(edit)) == ("ok", "cost", (4, 4, 9))
        assert edit.textDocument.uri == window.uri(PATH)
        assert edit.textDocument.version == window.versions[PATH]
        assert (edit.data.source, edit.data.distanceLines) == ("rename", 4)
        window.change(PATH, types.Range(types.Position(4, 4), types.Position(4, 9)), edit.text)
        await window.client.workspace_execute_command_async(_accept(window, edit))
        (edit,), _ = await _ask(window, types.Position(4, 8))
        assert edit.textDocument.uri == window.uri("shop/cart.py")
        assert edit.textDocument.version is None
        assert (edit.text, _place(edit)) == ("cost", (0, 23, 28))


async def test_a_dismissed_change_is_not_offered_again(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        at = await _renamed(window)
        (edit,), _ = await _ask(window, at)
        item = {"command": {"arguments": [{"id": edit.command.arguments[0].id}]}}
        window.client.protocol.notify("textDocument/didShowInlineEdit", {"item": item})
        window.client.protocol.notify("textDocument/didDismissInlineEdit", {"item": item})
        assert await _ask(window, at) == ([], "edit.rejected")


async def test_an_undo_and_an_old_version_get_nothing(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        at = await _renamed(window)
        assert await _ask(window, at, version=1) == ([], "edit.stale")
        window.change(PATH, types.Range(types.Position(0, 4), types.Position(0, 8)), "price")
        assert await _ask(window, at) == ([], "edit.undo")
        assert (await window.reasons())[-2:] == ["edit.stale", "edit.undo"]


@pytest.mark.parametrize("edits", [{"enabled": False}, {"mode": "off"}])
async def test_switched_off_there_is_none(edits: dict[str, Any], tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, settings={"edits": edits}) as window:
        assert await _ask(window, await _renamed(window)) == ([], "disabled")


async def test_paused_nothing_is_remembered(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        await window.ready()
        await window.client.workspace_execute_command_async(types.ExecuteCommandParams(command="spark.pause"))
        at = await _renamed_while_paused(window)
        assert await _ask(window, at) == ([], "paused")
        await window.client.workspace_execute_command_async(types.ExecuteCommandParams(command="spark.resume"))
        assert await _ask(window, at) == ([], "edit.nothing")


async def _renamed_while_paused(window: Editor) -> types.Position:
    at = window.open(PATH, OPENED)
    start = types.Position(at.line, at.character - len("price"))
    window.change(PATH, types.Range(start, at), "cost")
    return start


@pytest.mark.parametrize(
    ("fixes", "expected"),
    [
        ([{"title": "Add it", "edits": [{"range": RANGE, "newText": "y = 2"}]}], ("ok", "y = 2")),
        ([{"title": "", "edits": []}, {"title": "Add it", "edits": [{"range": RANGE, "newText": "z"}]}], ("ok", "z")),
        ([{"title": "Add it", "edits": [{"range": {}, "newText": 3}]}], ("edit.nothing", "")),
        ({"title": "Add it"}, ("edit.nothing", "")),
    ],
    ids=["whole", "the second", "of a wrong type", "no list"],
)
async def test_a_quick_fix_of_the_editor(fixes: Any, expected: tuple[str, str], tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        await window.ready()
        window.open(PATH, OPENED)
        window.type(PATH, types.Position(5, 0), "y")
        document = {"uri": window.uri(PATH), "version": window.versions[PATH]}
        params = {"textDocument": document, "position": {"line": 5, "character": 1}, "fixes": fixes}
        answer = await window.send("textDocument/copilotInlineEdit", params)
        texts = [(edit.text, edit.data.source) for edit in answer.edits]
        assert (answer.reason, texts) == (expected[0], [(expected[1], "diagnostic")] if expected[1] else [])


async def test_every_editor_has_it_as_a_code_action(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        at = await _renamed(window)
        identifier = types.TextDocumentIdentifier(window.uri(PATH))
        context = types.CodeActionContext(diagnostics=[], only=["refactor.rewrite.nextEdit"])
        converter = window.client.protocol._converter
        converter.register_structure_hook(
            types.Command | types.CodeAction, lambda action, _type: converter.structure(action, types.CodeAction)
        )
        params = types.CodeActionParams(identifier, types.Range(at, at), context)
        (action,) = await window.client.text_document_code_action_async(params) or []
        assert isinstance(action, types.CodeAction)
        assert action.title == "Next edit: Rename price to cost"
        assert action.edit is not None
        assert action.edit.document_changes is not None
        (document,) = action.edit.document_changes
        assert isinstance(document, types.TextDocumentEdit)
        assert [
            (edit.new_text, edit.range.start.line) for edit in document.edits if isinstance(edit, types.TextEdit)
        ] == [("cost", 4)]


@pytest.mark.parametrize("says", [None, types.ClientCapabilities()], ids=["the client watches", "we watch"])
async def test_nothing_follows_after_a_branch_switch(says: types.ClientCapabilities | None, tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, says=says) as window:
        at = await _renamed(window)
        assert (await _ask(window, at))[1] == "ok"
        paths = [window.root / f"part{number}.py" for number in range(12)]
        for path in paths:
            path.write_text("x = 1\n")
        _report(window, paths)
        await window.until(lambda w: w.statuses[-1].indexed.of == len(paths) + 2)
        assert (await _ask(window, at))[0] == []


async def test_many_ignored_files_are_no_branch_switch(tmp_path: Path) -> None:
    async with editor(f"#- .gitignore\nrun/\n{WORKSPACE}", tmp_path) as window:
        at = await _renamed(window)
        paths = [window.root / "run" / f"part{number}.py" for number in range(12)]
        paths[0].parent.mkdir()
        for path in paths:
            path.write_text("x = 1\n")
        (window.root / "new.py").write_text("y = 1\n")
        _report(window, [*paths, window.root / "new.py"])
        await window.until(lambda w: w.statuses[-1].indexed.of == 3)
        assert (await _ask(window, at))[1] == "ok"


def _report(window: Editor, paths: list[Path]) -> None:
    events = [types.FileEvent(uri=path.as_uri(), type=types.FileChangeType.Created) for path in paths]
    window.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams(events))
