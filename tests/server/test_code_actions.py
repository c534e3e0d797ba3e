"""Code actions over the wire: the list, the edit when one is chosen, refusals, cancellation, modest clients."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from scripts.harness.editor import SCRIPTED, Editor, capabilities, editor, listen
from spark_lsp.server.convert import changed

pytestmark = pytest.mark.slow

WORKSPACE = "#- a.py\ndef alpha(x):\n    return x\n"
BEFORE = 'def area(w, h):\n    """Größe 🦎."""\n    pass$0\n\n\nprint(area(1, 2))\n'
AFTER = 'def area(w, h):\n    """Größe 🦎."""\n    return w * h\n\n\nprint(area(1, 2))\n'
BODY = "return w * h\n\n\ndef other():\n    pass"
HELD = ("-m", "tests.actions.held_server")


async def _list(window: Editor, at: types.Position, only: Sequence[str] | None = None) -> list[types.CodeAction]:
    """The available to implement a body; others have tests of their own."""
    return [action for action in await _whole_list(window, at, only) if action.title.startswith("Implement")]


async def _whole_list(
    window: Editor,
    at: types.Position,
    only: Sequence[str] | None = None,
    diagnostics: Sequence[types.Diagnostic] = (),
) -> list[types.CodeAction]:
    converter = window.client.protocol._converter
    # lsprotocol takes any action with a command for a bare command.
    converter.register_structure_hook(
        types.Command | types.CodeAction, lambda action, _type: converter.structure(action, types.CodeAction)
    )
    context = types.CodeActionContext(diagnostics=diagnostics, only=only)
    identifier = types.TextDocumentIdentifier(window.uri("b.py"))
    answer = await window.client.text_document_code_action_async(
        types.CodeActionParams(identifier, types.Range(at, at), context)
    )
    assert answer is not None
    assert all(isinstance(action, types.CodeAction) for action in answer)
    return [action for action in answer if isinstance(action, types.CodeAction)]


async def _chosen(window: Editor, at: types.Position) -> types.WorkspaceEdit | None:
    (action,) = await _list(window, at)
    assert action.edit is None
    return (await window.client.code_action_resolve_async(action)).edit


def _applied(window: Editor, edits: Sequence[Any], encoding: str = "utf-16") -> str:
    changes = [types.TextDocumentContentChangePartial(range=edit.range, text=edit.new_text) for edit in edits]
    return changed(window.texts["b.py"], list(reversed(changes)), encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_listed_resolved_and_applied(encoding: str, tmp_path: Path) -> None:
    says = capabilities([encoding])
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, BODY), says=says) as window:
        await window.ready()
        at = window.open("b.py", BEFORE)
        (action,) = await _list(window, at)
        assert (action.title, action.kind) == ("Implement area", "refactor.rewrite.implement")
        assert (action.edit, action.command) == (None, None)
        assert await window.reasons() == []
        resolved = await window.client.code_action_resolve_async(action)
        assert resolved.title == action.title
        edit = resolved.edit
        assert edit is not None
        assert edit.changes is None
        assert edit.document_changes is not None
        (document,) = edit.document_changes
        assert isinstance(document, types.TextDocumentEdit)
        assert (document.text_document.uri, document.text_document.version) == (window.uri("b.py"), 1)
        assert _applied(window, document.edits, encoding) == AFTER
        assert await window.reasons() == ["ok"]


async def test_an_editor_that_answers_nothing_while_it_waits_gets_its_edit(tmp_path: Path) -> None:
    """Helix: nothing is handled there until the resolved action has come, our question for a progress bar included."""
    answered = asyncio.Event()

    async def answer_later(_params: Any) -> None:
        await answered.wait()

    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, BODY)) as window:
        await window.ready()
        listen(window.client, types.WINDOW_WORK_DONE_PROGRESS_CREATE, answer_later)
        edit = await asyncio.wait_for(_chosen(window, window.open("b.py", BEFORE)), 20)
        answered.set()
        assert edit is not None


async def test_edit_is_annotated_where_the_client_shows_it(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, BODY)) as window:
        await window.ready()
        edit = await _chosen(window, window.open("b.py", BEFORE))
        assert edit is not None
        assert edit.document_changes is not None
        assert edit.change_annotations is not None
        (document,) = edit.document_changes
        assert isinstance(document, types.TextDocumentEdit)
        (edit_of_document,) = document.edits
        assert isinstance(edit_of_document, types.AnnotatedTextEdit)
        assert edit.change_annotations[edit_of_document.annotation_id].label == "Implement area"


async def test_versioned_without_annotations(tmp_path: Path) -> None:
    says = capabilities()
    assert says.workspace is not None
    says.workspace.workspace_edit = types.WorkspaceEditClientCapabilities(document_changes=True)
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, BODY), says=says) as window:
        await window.ready()
        edit = await _chosen(window, window.open("b.py", BEFORE))
        assert edit is not None
        assert edit.document_changes is not None
        assert edit.change_annotations is None
        (document,) = edit.document_changes
        assert isinstance(document, types.TextDocumentEdit)
        assert [type(text_edit) for text_edit in document.edits] == [types.TextEdit]


async def test_plain_changes_where_the_client_knows_no_versions(tmp_path: Path) -> None:
    says = capabilities()
    assert says.workspace is not None
    says.workspace.workspace_edit = None
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, BODY), says=says) as window:
        await window.ready()
        edit = await _chosen(window, window.open("b.py", BEFORE))
        assert edit is not None
        assert edit.document_changes is None
        assert edit.changes is not None
        assert _applied(window, edit.changes[window.uri("b.py")]) == AFTER


async def test_client_that_cannot_resolve_gets_a_command(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, BODY), says=types.ClientCapabilities()) as window:
        await window.ready()
        (action,) = await _list(window, window.open("b.py", BEFORE))
        assert action.data is None
        assert action.command is not None
        assert action.command.command == "spark.applyAction"
        answer = await window.client.workspace_execute_command_async(
            types.ExecuteCommandParams(action.command.command, action.command.arguments)
        )
        assert answer is True
        (edit,) = window.edits
        assert edit.changes is not None
        assert _applied(window, edit.changes[window.uri("b.py")]) == AFTER


async def test_only_the_kinds_that_were_asked_for(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        await window.ready()
        at = window.open("b.py", BEFORE)
        for only in (["refactor"], ["refactor.rewrite"], ["refactor.rewrite.implement"], ["quickfix", "refactor"], []):
            assert len(await _list(window, at, only)) == 1, only
        for only in (["quickfix"], ["refactor.re"], ["refactor.rewrite.implement.more"], ["source"]):
            assert await _list(window, at, only) == [], only


async def test_edit_for_an_older_version_is_refused(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, BODY)) as window:
        await window.ready()
        (action,) = await _list(window, window.open("b.py", BEFORE))
        window.type("b.py", types.Position(0, 0), "# ")
        resolved = await window.client.code_action_resolve_async(action)
        assert resolved.edit is None
        await window.until(lambda w: w.messages)
        assert "has changed since" in window.messages[-1]
        assert await window.reasons() == []


async def test_document_that_changes_meanwhile_is_not_edited(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, HELD) as window:
        await window.ready()
        (action,) = await _list(window, window.open("b.py", BEFORE))
        progress = _Progress(window)
        first = asyncio.create_task(window.client.code_action_resolve_async(action))
        await progress.writing()
        window.type("b.py", types.Position(5, 0), "# ")
        (again,) = await _list(window, types.Position(2, 8))
        await window.client.code_action_resolve_async(again)
        assert (await first).edit is None
        assert "has changed meanwhile" in window.messages[0]


async def test_no_edit_is_explained_in_one_sentence(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "pass")) as window:
        await window.ready()
        assert await _chosen(window, window.open("b.py", BEFORE)) is None
        await window.until(lambda w: w.messages)
        assert window.messages == ["Spark: The model left area without a body."]
        assert await window.reasons() == ["empty"]


async def test_cancelling_stops_the_model(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, HELD) as window:
        await window.ready()
        (action,) = await _list(window, window.open("b.py", BEFORE))
        progress = _Progress(window)
        pending = window.client.protocol.send_request(types.CODE_ACTION_RESOLVE, action, msg_id="chosen")
        await progress.writing()
        window.client.cancel_request(types.CancelParams(id="chosen"))
        with pytest.raises(JsonRpcException) as caught:
            await asyncio.wrap_future(pending)
        assert caught.value.code == -32800
        assert await window.reasons() == ["cancelled"]
        await progress.ended()
        resolved = await window.client.code_action_resolve_async(action)
        assert resolved.edit is not None, "the first stream was still open"


async def test_progress_is_shown_from_begin_to_end(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, BODY)) as window:
        await window.ready()
        progress = _Progress(window)
        assert await _chosen(window, window.open("b.py", BEFORE)) is not None
        await progress.ended()
        assert [value["kind"] for value in progress.values][:: len(progress.values) - 1] == ["begin", "end"]
        assert progress.values[0]["title"] == "Spark: Implement area"
        assert any(value["kind"] == "report" and value["percentage"] > 0 for value in progress.values)


async def test_nothing_is_offered_for_documents_that_are_not_open_or_without_a_model_for_it(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, environment={"SCRIPTED_FAMILY": ""}) as window:
        assert await _list(window, types.Position(2, 0)) == []
        at = window.open("b.py", BEFORE)
        await window.until(lambda w: w.statuses and "fill-in-the-middle" in w.statuses[-1].message)
        assert await _list(window, at) == []


async def test_actions_can_be_switched_off(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, settings={"actions": {"enabled": False}}) as window:
        await window.ready()
        assert await _list(window, window.open("b.py", BEFORE)) == []


CHAT = {"SCRIPTED_CHAT": "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"}
TALKED = "    return w * h\n```\n"


async def _rewrite(window: Editor, *arguments: Any) -> Any:
    return await window.client.workspace_execute_command_async(
        types.ExecuteCommandParams("spark.rewrite", list(arguments))
    )


async def test_rewrite_by_command_is_applied_and_asks_first(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, TALKED), environment=CHAT) as window:
        await window.ready()
        assert window.result is not None
        provider = window.result.capabilities.execute_command_provider
        assert provider is not None
        assert "spark.rewrite" in provider.commands
        window.open("b.py", BEFORE)
        place = {"start": {"line": 2, "character": 4}, "end": {"line": 2, "character": 8}}
        assert await _rewrite(window, window.uri("b.py"), place, "fill it in") is True
        (edit,) = window.edits
        assert edit.document_changes is not None
        assert edit.change_annotations is not None
        assert [note.needs_confirmation for note in edit.change_annotations.values()] == [True]
        (document,) = edit.document_changes
        assert isinstance(document, types.TextDocumentEdit)
        assert document.text_document.version == 1
        assert _applied(window, document.edits) == AFTER
        assert await window.reasons() == ["ok"]


WRONG_REWRITES: dict[str, tuple[list[Any], str]] = {
    "nothing": ([], "needs three arguments"),
    "no range": (["file:///b.py", None, "x"], "needs three arguments"),
    "a range of nonsense": (["file:///b.py", {"start": 1, "end": {"line": "a"}}, "x"], "needs three arguments"),
    "a document that is not open": (
        ["file:///c.py", {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}, "x"],
        "not open",
    ),
}


async def test_rewrite_with_wrong_arguments_says_what_is_wrong(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, TALKED), environment=CHAT) as window:
        await window.ready()
        for arguments, message in WRONG_REWRITES.values():
            window.messages.clear()
            assert await _rewrite(window, *arguments) is False
            await window.until(lambda w: w.messages)
            assert message in window.messages[-1]
        assert window.edits == []


async def test_rewrite_without_a_chat_template_changes_nothing(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, TALKED)) as window:
        await window.ready()
        window.open("b.py", BEFORE)
        place = {"start": {"line": 2, "character": 4}, "end": {"line": 2, "character": 8}}
        assert await _rewrite(window, window.uri("b.py"), place, "fill it in") is False
        await window.until(lambda w: w.messages)
        assert (len(window.messages), window.edits) == (1, [])


async def test_a_quick_fix_carries_its_diagnostic(tmp_path: Path) -> None:
    async with editor(
        WORKSPACE, tmp_path, (*SCRIPTED, AFTER[: AFTER.index("\n\n")] + "\n```"), environment=CHAT
    ) as window:
        await window.ready()
        at = window.open("b.py", BEFORE)
        place = types.Range(types.Position(2, 4), at)
        diagnostics = [
            types.Diagnostic(place, "Empty body", code=17, source="lint"),
            types.Diagnostic(types.Range(at, at), "Another", code="X1"),
        ]
        actions = [
            action
            for action in await _whole_list(window, at, ["quickfix"], diagnostics)
            if action.title.startswith("Fix:")
        ]
        assert [action.title for action in actions] == ["Fix: Empty body (17)", "Fix: Another (X1)"]
        assert [list(action.diagnostics or ()) for action in actions] == [[diagnostics[0]], [diagnostics[1]]]
        assert await window.reasons() == []
        resolved = await window.client.code_action_resolve_async(actions[0])
        assert resolved.edit is not None
        assert resolved.edit.document_changes is not None
        (document,) = resolved.edit.document_changes
        assert isinstance(document, types.TextDocumentEdit)
        assert _applied(window, document.edits) == AFTER


async def test_a_test_in_a_new_file_is_one_edit_where_the_editor_can_make_files(tmp_path: Path) -> None:
    says = capabilities()
    assert says.workspace is not None
    assert says.workspace.workspace_edit is not None
    source = "def area(w, h):\n    return w * h$0\n"
    for kinds in ([types.ResourceOperationKind.Create], None):
        says.workspace.workspace_edit.resource_operations = kinds
        folder = tmp_path / str(kinds is None)
        async with editor(WORKSPACE, folder, (*SCRIPTED, "assert area(2, 3) == 6"), says=says) as window:
            await window.ready()
            listed = await _whole_list(window, window.open("b.py", source), ["source"])
            assert [(action.title, action.kind) for action in listed] == [
                ("Write a test of area", "source.generateTests")
            ]
            edit = (await window.client.code_action_resolve_async(listed[0])).edit
            if kinds is None:
                assert edit is None
                await window.until(lambda w: w.messages)
                assert "another file" in window.messages[-1]
                continue
            assert edit is not None
            assert edit.document_changes is not None
            create, document = edit.document_changes
            assert isinstance(create, types.CreateFile)
            assert isinstance(document, types.TextDocumentEdit)
            assert create.uri == document.text_document.uri == window.uri("tests/test_b.py")
            assert document.text_document.version is None
            (text,) = document.edits
            assert isinstance(text, types.AnnotatedTextEdit)
            assert text.new_text == "from b import area\n\n\ndef test_area() -> None:\n    assert area(2, 3) == 6\n"


class _Progress:
    """Work-done progress of code actions, as the client is told it."""

    def __init__(self, window: Editor) -> None:
        self.values: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        self._tokens: set[Any] = set()
        listen(window.client, types.PROGRESS, self._on_progress)

    async def writing(self) -> None:
        """Wait until the model has said something."""
        await self._until("report")

    async def ended(self) -> None:
        """Wait for the end."""
        await self._until("end")

    async def _until(self, kind: str) -> None:
        async with asyncio.timeout(20):
            while not any(value["kind"] == kind for value in self.values):
                self._changed.clear()
                await self._changed.wait()

    def _on_progress(self, params: Any) -> None:
        value = params.value
        if value.get("kind") == "begin" and "Implement" in value["title"]:
            self._tokens.add(params.token)
        if params.token in self._tokens:
            self.values.append(value)
            self._changed.set()


ASSUMING = "def f(a, b):\n    first$0 = a[0]\n    return b[1] + first\n"


async def _inline(window: Editor, at: types.Position) -> types.CodeAction:
    (action,) = [entry for entry in await _whole_list(window, at) if entry.title.startswith("Inline")]
    return await window.client.code_action_resolve_async(action)


async def test_an_edit_that_rests_on_an_assumption_names_it_and_is_confirmed(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        await window.ready()
        action = await _inline(window, window.open("b.py", ASSUMING))
        assert action.edit is not None
        assert action.edit.change_annotations is not None
        (note,) = action.edit.change_annotations.values()
        assert note.needs_confirmation
        assert note.label == action.title
        assert note.label == "Inline first (assumes that no expression that it moves past raises an error)"


async def test_a_client_that_cannot_ask_gets_proved_edits_only(tmp_path: Path) -> None:
    says = capabilities()
    assert says.workspace is not None
    says.workspace.workspace_edit = types.WorkspaceEditClientCapabilities(document_changes=True)
    async with editor(WORKSPACE, tmp_path, says=says) as window:
        await window.ready()
        assert (await _inline(window, window.open("b.py", ASSUMING))).edit is None
        assert await window.reasons() == ["gate.unsafe"]


async def test_a_client_that_cannot_ask_gets_them_where_the_settings_say_so(tmp_path: Path) -> None:
    says = capabilities()
    assert says.workspace is not None
    says.workspace.workspace_edit = types.WorkspaceEditClientCapabilities(document_changes=True)
    settings = {"actions": {"assumptions": "always"}}
    async with editor(WORKSPACE, tmp_path, says=says, settings=settings) as window:
        await window.ready()
        assert (await _inline(window, window.open("b.py", ASSUMING))).edit is not None
