"""Inline completion over the wire: answers, ranges in every encoding, streams, cancellation, refusals."""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from scripts.harness.editor import SCRIPTED, Editor, capabilities, editor
from spark_lsp.completion.recording import read_recording

pytestmark = pytest.mark.slow

WORKSPACE = "#- a.py\ndef alpha(x):\n    return x\n\n\nfirst = second = third = alpha(1)\n"
"""The names that the scripted model writes exist, so none of them is doubted."""
CALL = "from a import alpha\n\nvalue = alpha($0)\n"


async def test_item_has_text_range_and_accept_command(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "1, 2)")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        item = await window.complete("b.py", at)
        assert item is not None
        assert item.insert_text == "1, 2)"
        assert item.range == types.Range(at, types.Position(at.line, at.character + 1))
        assert item.command is not None
        assert item.command.command == "spark.acceptCompletion"
        await window.client.workspace_execute_command_async(
            types.ExecuteCommandParams(item.command.command, item.command.arguments)
        )
        assert await window.reasons() == ["ok"]


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 14), ("utf-16", 12), ("utf-32", 11)])
async def test_positions_count_in_the_negotiated_encoding(encoding: str, character: int, tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "1)"), says=capabilities([encoding])) as window:
        await window.ready()
        window.open("b.py", 'import os\nprint("\U0001f600", )\n')
        item = await window.complete("b.py", types.Position(1, character))
        assert item is not None
        assert item.range == types.Range(types.Position(1, character), types.Position(1, character + 1))


async def test_incremental_changes_and_typed_through(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "first, second")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        assert await window.complete("b.py", at)
        at = window.type("b.py", at, "first, ")
        item = await window.complete("b.py", at)
        assert item is not None
        assert item.insert_text == "second"
        log = await window.send("spark/log", {})
        assert log.requests[-1].facts.reuse == "typed_through_or_same"


async def test_a_bracket_that_comes_with_its_closer_keeps_the_suggestion(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "first(1), second")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        assert await window.complete("b.py", at)
        at = window.type("b.py", at, "first")
        at = types.Position(at.line, window.type("b.py", at, "()").character - 1)
        item = await window.complete("b.py", at)
        assert item is not None
        assert (item.insert_text, item.range) == (
            "1), second",
            types.Range(at, types.Position(at.line, at.character + 1)),
        )
        log = await window.send("spark/log", {})
        assert log.requests[-1].facts.reuse == "typed_through_or_same"


async def streamed(window: Editor, at: types.Position, *, trigger_kind: int) -> Any:
    """Ask for a stream in ``b.py`` and return its result; ``window.partials`` has what came before."""
    window.client.progress_reports["token"] = []
    params = {
        "textDocument": {"uri": window.uri("b.py")},
        "position": {"line": at.line, "character": at.character},
        "context": {"triggerKind": trigger_kind},
        "partialResultToken": "token",
    }
    return await window.send("spark/inlineCompletionStream", params)


async def test_stream_sends_cumulative_partials_and_the_result_is_the_last(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "first, second, third")) as window:
        await window.ready()
        result = await streamed(window, window.open("b.py", CALL), trigger_kind=2)
        texts = [value["items"][0]["insertText"] for value in window.partials]
        assert [value["sequence"] for value in window.partials] == list(range(1, len(texts) + 1))
        assert len(texts) > 2
        assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
        assert result.items[0].insertText == texts[-1] == "first, second, third"
        assert result.items[0].command.command == "spark.acceptCompletion"


async def test_every_request_is_answered_once_even_when_cancelled(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "first, second")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        pending = []
        for number in range(20):
            future = window.client.protocol.send_request(
                types.TEXT_DOCUMENT_INLINE_COMPLETION, window.request("b.py", at), msg_id=f"key-{number}"
            )
            pending.append(asyncio.wrap_future(future) if not asyncio.isfuture(future) else future)
            if number % 2:
                window.client.cancel_request(types.CancelParams(id=f"key-{number - 1}"))
        answers = await asyncio.gather(*pending, return_exceptions=True)
        assert len(answers) == 20
        assert all(isinstance(answer, (types.InlineCompletionList, JsonRpcException)) for answer in answers)
        assert isinstance(answers[-1], types.InlineCompletionList)
        assert answers[-1].items
        assert not window.client.protocol._request_futures


async def _reason_of(window: Editor, path: str, at: types.Position) -> str:
    assert await window.complete(path, at) is None
    return (await window.reasons())[-1]


async def test_document_never_opened_and_positions_outside(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "1")) as window:
        await window.ready()
        assert await _reason_of(window, "never.py", types.Position(0, 0)) == "gate.not_open"
        window.open("b.py", CALL.replace("$0", ""))
        assert await _reason_of(window, "b.py", types.Position(0, 3)) == "gate.mid_word"
        await window.complete("b.py", types.Position(9999, 9999))
        assert (await window.reasons())[-1] == "ok"


async def test_pause_and_resume(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "1")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        await window.client.workspace_execute_command_async(types.ExecuteCommandParams("spark.pause"))
        assert await _reason_of(window, "b.py", at) == "paused"
        assert window.statuses[-1].kind == "Inactive"
        await window.client.workspace_execute_command_async(types.ExecuteCommandParams("spark.resume"))
        assert await window.complete("b.py", at)


async def test_model_without_fim_is_said_and_not_silent(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, environment={"SCRIPTED_FAMILY": ""}) as window:
        await window.until(lambda w: w.statuses and "fill-in-the-middle" in w.statuses[-1].message)
        assert window.statuses[-1].kind == "Error"
        at = window.open("b.py", CALL)
        assert await _reason_of(window, "b.py", at) == "model.no_fim"


async def test_completion_fallback_is_off_until_asked_for(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "1, 2)")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        params = types.CompletionParams(types.TextDocumentIdentifier(window.uri("b.py")), at)
        none = await window.client.text_document_completion_async(params)
        assert not none.items
        window.client.set_configuration({"spark": {"completion": {"asCompletionItem": True}}})
        window.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings={}))
        items: list[types.CompletionItem] = []
        async with asyncio.timeout(10):
            while not items:
                items = list((await window.client.text_document_completion_async(params)).items)
        assert items[0].text_edit.new_text == "1, 2)"


async def test_completion_fallback_takes_the_begun_word_along(tmp_path: Path) -> None:
    environment = {"SPARK_LSP_COMPLETION_AS_COMPLETION_ITEM": "true"}
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "pha(1, 2)"), environment=environment) as window:
        await window.ready()
        at = window.open("b.py", "from a import alpha\n\nvalue = al$0\n")
        params = types.CompletionParams(types.TextDocumentIdentifier(window.uri("b.py")), at)
        (item,) = (await window.client.text_document_completion_async(params)).items
        assert (item.label, item.filter_text) == ("alpha(1, 2)", "alpha(1, 2)")
        begin = types.Position(at.line, at.character - len("al"))
        assert item.text_edit == types.TextEdit(types.Range(begin, at), "alpha(1, 2)")


async def test_context_shows_other_files(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        place = {
            "textDocument": {"uri": window.uri("b.py")},
            "position": {"line": at.line, "character": at.character},
        }
        report = await window.send("spark/context", place)
        assert not hasattr(report, "prompt")
        assert any(segment.path == "a.py" for segment in report.segments)
        report = await window.send("spark/context", {**place, "prompt": True, "budget": 200})
        assert "def alpha(x):" in report.prompt
        assert report.tokens <= report.budget == 200


async def test_feedback_notifications_are_taken(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "1, 2)")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        item = await window.complete("b.py", at)
        assert item is not None
        fields = {"insertText": item.insert_text, "command": {"command": "x", "arguments": item.command.arguments}}
        notify = window.client.protocol.notify
        notify("textDocument/didShowCompletion", {"item": fields})
        notify("textDocument/didPartiallyAcceptCompletion", {"item": fields, "acceptedLength": 2})
        notify("textDocument/didFocus", {"textDocument": {"uri": window.uri("b.py")}})
        for broken in ({}, {"item": None}, {"item": {"command": {"arguments": "no"}}}):
            notify("textDocument/didShowCompletion", broken)
        await window.reasons()
        lines = (tmp_path / "XDG_STATE_HOME" / "spark-lsp" / "feedback.jsonl").read_text().splitlines()
        assert ['"shown"' in lines[0], '"partly_accepted"' in lines[1]] == [True, True]


async def test_a_dismissed_suggestion_is_not_offered_there_again(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "1, 2)")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        item = await window.complete("b.py", at)
        assert item is not None
        fields = {"insertText": item.insert_text, "command": {"command": "x", "arguments": item.command.arguments}}
        for params in ({"item": fields}, {"item": fields}, {}, {"item": None}):
            window.client.protocol.notify("textDocument/didDismissCompletion", params)
        assert await _reason_of(window, "b.py", at) == "trimmed.rejected"
        lines = (tmp_path / "XDG_STATE_HOME" / "spark-lsp" / "feedback.jsonl").read_text().splitlines()
        assert ['"rejected"' in line for line in lines] == [True]


async def test_asked_by_hand_there_are_several_candidates(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "1, 2)", "first)", "1, 2)", "alpha(value))")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        params = window.request("b.py", at, by_hand=True)
        answer = await window.client.text_document_inline_completion_async(params)
        assert isinstance(answer, types.InlineCompletionList)
        texts = [item.insert_text for item in answer.items]
        assert 1 < len(texts) <= 3
        assert len(set(texts)) == len(texts)
        assert len({item.command.arguments[0]["id"] for item in answer.items if item.command}) == len(texts)


async def test_a_stream_asked_for_by_hand_ends_with_several_candidates(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "1, 2)", "first)", "1, 2)", "alpha(value))")) as window:
        await window.ready()
        result = await streamed(window, window.open("b.py", CALL), trigger_kind=1)
        *early, last = [[item["insertText"] for item in value["items"]] for value in window.partials]
        assert [item.insertText for item in result.items] == last
        assert 1 < len(set(last)) == len(last) <= 3
        assert all(len(texts) == 1 for texts in early)
        assert early[-1] == last[:1]


async def test_typing_with_several_cursors_is_left_alone(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "1, 2)")) as window:
        await window.ready()
        window.open("b.py", "first = \nsecond = \n")
        window.versions["b.py"] += 1
        identifier = types.VersionedTextDocumentIdentifier(window.versions["b.py"], window.uri("b.py"))
        places = [types.Position(1, 9), types.Position(0, 8)]
        changes = [types.TextDocumentContentChangePartial(types.Range(at, at), "x") for at in places]
        window.client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, changes))
        assert await _reason_of(window, "b.py", types.Position(0, 9)) == "gate.several_cursors"


async def test_recorded_requests_are_named_in_the_log_and_the_status(tmp_path: Path) -> None:
    environment = {"SCRIPTED_RECORD": str(tmp_path / "requests")}
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "1, 2)"), environment=environment) as window:
        await window.ready()
        await window.until(lambda w: "recorded" in w.statuses[-1].message)
        at = window.open("b.py", CALL)
        assert await window.complete("b.py", at)
        log = await window.send("spark/log", {})
        recording = read_recording(Path(log.requests[-1].facts.recorded))
        assert recording.raw == "1, 2)"
        assert "def alpha(x):" in "".join(part.text for part in recording.request.prompt)
