"""``selectedCompletionInfo`` over the wire: items that continue the entry, ranges in every encoding, bad ranges."""

from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from scripts.harness.editor import SCRIPTED, Editor, capabilities, editor

pytestmark = pytest.mark.slow

WORKSPACE = "#- a.py\ndef alpha(x):\n    return x\n"
CALL = "from a import alpha\n\nvalue = (al$0)\n"


def _range(start: types.Position, end: types.Position, entry: str) -> dict[str, Any]:
    places = {"start": start, "end": end}
    positions = {name: {"line": place.line, "character": place.character} for name, place in places.items()}
    return {"range": positions, "text": entry}


async def _answers(window: Editor, at: types.Position, selected: Any) -> list[list[Any]]:
    """Ask in both ways; return each one's items as (text, range, id)."""
    asked = {
        "textDocument": {"uri": window.uri("b.py")},
        "position": {"line": at.line, "character": at.character},
        "context": {"triggerKind": 2, "selectedCompletionInfo": selected},
    }
    window.client.progress_reports["token"] = []
    window.partials.clear()
    streamed = await window.send("spark/inlineCompletionStream", asked | {"partialResultToken": "token"})
    partials = [value["items"][0]["insertText"] for value in window.partials]
    assert partials == sorted(partials, key=len)
    assert not streamed.items or partials[-1] == streamed.items[0].insertText
    params = window.request("b.py", at)
    place = selected["range"]
    ends = (types.Position(place[name]["line"], place[name]["character"]) for name in ("start", "end"))
    params.context.selected_completion_info = types.SelectedCompletionInfo(types.Range(*ends), selected["text"])
    standard = await window.client.text_document_inline_completion_async(params)
    assert isinstance(standard, types.InlineCompletionList)
    return [
        [(item.insertText, _flat(item.range)) for item in streamed.items],
        [(item.insert_text, _flat(item.range)) for item in standard.items],
    ]


def _flat(place: Any) -> tuple[int, int, int, int]:
    return place.start.line, place.start.character, place.end.line, place.end.character


async def test_both_requests_continue_the_entry_and_cover_its_range(tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "(1, 2))")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        begun = types.Position(at.line, at.character - 2)
        for items in await _answers(window, at, _range(begun, at, "alpha")):
            assert items == [("alpha(1, 2))", (2, 9, 2, 12))]  # the bracket that an editor closed is covered as well
        log = await window.send("spark/log", {})
        assert [request.facts.selected for request in log.requests] == ["continued", "continued"]


@pytest.mark.parametrize(("encoding", "begun"), [("utf-8", 16), ("utf-16", 13), ("utf-32", 12)])
async def test_ranges_count_in_the_negotiated_encoding(encoding: str, begun: int, tmp_path: Path) -> None:
    says = capabilities([encoding])
    entries = {"utf-8": 3, "utf-16": 2, "utf-32": 2}
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "(1)"), says=says) as window:
        await window.ready()
        window.open("b.py", 'import os\nprint("\U0001f600é", né)\n')
        start = types.Position(1, begun)
        at = types.Position(1, begun + entries[encoding])
        for items in await _answers(window, at, _range(start, at, "néo\U0001f600")):
            assert items == [("néo\U0001f600(1)", (1, begun, 1, at.character))]


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [((2, 12), (2, 9), "reversed"), ((2, 0), (2, 5), "outside"), ((0, 0), (2, 11), "other_line"),
     ((0, 0), (0, 4), "outside"), ((99, 0), (99, 9), "outside")],
)  # fmt: skip
async def test_a_bad_range_is_a_plain_question_with_a_reason(
    start: tuple[int, int], end: tuple[int, int], why: str, tmp_path: Path
) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "pha(1, 2)")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        for items in await _answers(window, at, _range(types.Position(*start), types.Position(*end), "alpha")):
            assert items == [("pha(1, 2)", (2, 11, 2, 11))]
        log = await window.send("spark/log", {})
        assert [(request.reason, request.facts.selected) for request in log.requests] == [("ok", f"ignored.{why}")] * 2


@pytest.mark.parametrize("selected", [{}, {"text": "alpha"}, {"range": {}, "text": "alpha"}, "alpha", {"range": 1}])
async def test_what_is_no_entry_in_a_stream_is_a_plain_question(selected: Any, tmp_path: Path) -> None:
    async with editor(WORKSPACE, tmp_path, (*SCRIPTED, "pha(1, 2)")) as window:
        await window.ready()
        at = window.open("b.py", CALL)
        params = {
            "textDocument": {"uri": window.uri("b.py")},
            "position": {"line": at.line, "character": at.character},
            "context": {"triggerKind": 2, "selectedCompletionInfo": selected},
        }
        answer = await window.send("spark/inlineCompletionStream", params)
        assert [item.insertText for item in answer.items] == ["pha(1, 2)"]
        log = await window.send("spark/log", {})
        assert log.requests[-1].facts.selected == "ignored.empty"
