"""With a selected item in the completion menu, the suggestion continues that item, and both states stay separate."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spark_lsp.completion.answer import CompletionAnswer
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.next_line_prefetch import accepted
from spark_lsp.completion.recording import Recording
from spark_lsp.completion.selected_item import behind_item, may_be_taken
from spark_lsp.config import CompletionSettings
from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import Edit, apply_edits
from tests.completion.check import chosen, cursor_of
from tests.support.syntax import parsed
from tests.support.workspace import TestWorkspace

HEAD = "def area(w, h):\n    return w * h\n\n\n"
BEFORE = HEAD + "value = ar$0\nprint(value)\n"
PLAIN = cursor_of(BEFORE)
AREA = chosen(BEFORE, "area")


def _typed(cursor: CursorContext, text: str) -> CursorContext:
    """The document as it is after typing at the cursor; an item that was chosen there is not."""
    document = cursor.document
    at = (
        cursor.offset
        if cursor.selected is None
        else cursor.offset - len(cursor.selected.text) + len(cursor.selected.typed)
    )
    return CursorContext(replace(document, text=document.text[:at] + text + document.text[at:]), at + len(text))


def _taken(cursor: CursorContext) -> CursorContext:
    """The document once the item is taken."""
    return CursorContext(cursor.snapshot, cursor.offset)


def _prompt(request: CompletionRequest) -> str:
    return "".join(part.text for part in request.prompt)


def _knowing(request: CompletionRequest) -> str:
    """A model that goes on from the name before the cursor."""
    prompt = _prompt(request)
    continues = {"area": "(1, 2)", "arg": ".name", "array": "[0]", "ar": "ea(1, 2)", "are": "a(1, 2)"}
    return next((answer for word, answer in continues.items() if f"value = {word}\n" in prompt or
                 prompt.endswith(f"value = {word}")), "x")  # fmt: skip


def _text(answer: CompletionAnswer) -> str | None:
    return answer.suggestion.text if answer.suggestion else None


async def test_the_model_is_asked_with_the_entry_in_place_and_accepting_replaces_what_the_entry_would() -> None:
    engine = ScriptedEngine(["(1, 2)"])
    workspace = TestWorkspace(engine)
    cursor = chosen(HEAD + "value = wi$0dth\nprint(value)\n", "Area", "wi", "dth")
    answer = await workspace.completer.complete(cursor, manual=False)
    assert answer.suggestion is not None
    edit = cursor.edit(answer.suggestion.text, answer.suggestion.replaced)
    assert (edit.new_text, edit.span.text(cursor.document.text)) == ("Area(1, 2)", "width")
    assert "value = Area" in _prompt(engine.requests[0])
    assert "width" not in _prompt(engine.requests[0])
    assert workspace.log[-1].facts["selected"] == "continued"
    await workspace.completer.close()


@pytest.mark.parametrize(
    ("start", "end", "text", "why"),
    [
        (-2, 0, "", "empty"),
        (0, -2, "area", "reversed"),
        (-4, -2, "area", "outside"),
        (1, 3, "area", "outside"),
        (-2, 4, "area", "other_line"),
        (-20, 0, "area", "other_line"),
    ],
)
async def test_a_bad_range_leaves_a_plain_question_and_is_named_in_the_log(
    start: int, end: int, text: str, why: str
) -> None:
    workspace = TestWorkspace(ScriptedEngine(["ea(1, 2)"]))
    cursor = behind_item(PLAIN, PLAIN.offset + start, PLAIN.offset + end, text)
    answer = await workspace.completer.complete(cursor, manual=False)
    assert (_text(answer), answer.reason) == ("ea(1, 2)", "ok")
    assert (cursor.document, cursor.edit("x", 0).new_text) == (PLAIN.snapshot, "x")
    assert workspace.log[-1].facts["selected"] == f"ignored.{why}"
    await workspace.completer.close()


async def test_what_is_hidden_behind_the_menu_is_neither_shown_nor_rejected(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    workspace = TestWorkspace(ScriptedEngine(["ea(1, 2)", "y"]), feedback=Feedback(path), read_ms=0.0)
    first = await workspace.completer.complete(PLAIN, manual=False)
    hidden = behind_item(PLAIN, PLAIN.offset, PLAIN.offset - 1, "area")
    second = await workspace.completer.complete(hidden, manual=False)
    assert first.suggestion is not None
    assert second.suggestion is not None
    workspace.completer.changed(_typed(PLAIN, "x"))
    longer = _typed(PLAIN, "xx")
    hidden = behind_item(longer, longer.offset, longer.offset - 1, "area")
    third = await workspace.completer.complete(hidden, manual=False)
    assert third.suggestion is not None
    workspace.completer.feedback.shown(third.suggestion.id)
    assert not path.exists()
    await workspace.completer.close()


async def test_the_end_of_a_statement_is_left_alone_whoever_wrote_it() -> None:
    engine = ScriptedEngine(["x"])
    workspace = TestWorkspace(engine)
    answer = await workspace.completer.complete(chosen(BEFORE, "area()"), manual=False)
    assert (answer.reason, engine.requests) == ("gate.finished", [])


async def test_deadline_and_stream_hold_behind_an_entry() -> None:
    engine = ScriptedEngine(["(first,\n    second)"], chunk_chars=8)
    engine.hold()
    workspace = TestWorkspace(engine, settings=CompletionSettings(debounce=0, deadline_ms=50))
    assert (await workspace.completer.complete(AREA, manual=False)).reason == "timeout"
    engine.release()
    texts = [_text(answer) async for answer in workspace.completer.stream(AREA, manual=False)]
    assert texts[-1] == "(first,\n    second)"
    assert len(engine.requests) == 1
    await workspace.completer.close()


# -- with and without an item ---------------------------------------------------------------------------------------


async def test_each_entry_and_none_have_answers_of_their_own() -> None:
    engine = ScriptedEngine(_knowing)
    workspace = TestWorkspace(engine)
    cursors = [PLAIN, AREA, chosen(BEFORE, "arg"), chosen(BEFORE, "array")]
    for _ in range(2):
        answers = [_text(await workspace.completer.complete(cursor, manual=False)) for cursor in cursors]
        assert answers == ["ea(1, 2)", "(1, 2)", ".name", "[0]"]
    assert len(engine.requests) == 3  # what was said for the plain one goes on from the first item
    await workspace.completer.close()


async def test_the_rest_of_a_suggestion_stays_when_its_entry_is_chosen_and_when_it_is_taken() -> None:
    engine = ScriptedEngine(["ea(1, 2)"])
    workspace = TestWorkspace(engine)
    plain = await workspace.completer.complete(PLAIN, manual=False)
    behind = await workspace.completer.complete(AREA, manual=False)
    workspace.completer.changed(_taken(AREA))
    taken = await workspace.completer.complete(_taken(AREA), manual=False)
    workspace.completer.changed(_typed(_taken(AREA), "("))
    rest = await workspace.completer.complete(_typed(_taken(AREA), "("), manual=False)
    assert [_text(answer) for answer in (plain, behind, taken, rest)] == ["ea(1, 2)", "(1, 2)", "(1, 2)", "1, 2)"]
    assert len({answer.suggestion.id for answer in (plain, behind, taken, rest) if answer.suggestion}) == 1
    assert len(engine.requests) == 1
    await workspace.completer.close()


async def test_a_stream_behind_an_entry_goes_on_while_it_is_typed_and_once_it_is_taken() -> None:
    engine = ScriptedEngine(["(1, 2)"], chunk_chars=1)
    engine.hold()
    workspace = TestWorkspace(engine)
    first = asyncio.create_task(workspace.completer.complete(AREA, manual=False))
    await engine.arrived.wait()
    engine.step(2)
    first.cancel()
    longer = _typed(AREA, "e")
    workspace.completer.changed(longer)
    again = behind_item(longer, longer.offset - 3, longer.offset, "area")
    second = asyncio.create_task(workspace.completer.complete(again, manual=False))
    await asyncio.sleep(0)
    second.cancel()
    workspace.completer.changed(_taken(AREA))
    third = asyncio.create_task(workspace.completer.complete(_taken(AREA), manual=False))
    engine.release()
    assert _text(await third) == "(1, 2)"
    assert len(engine.requests) == 1
    assert workspace.log[-1].facts["reuse"] == "adopted"
    await workspace.completer.close()


async def test_a_stream_behind_an_entry_is_stopped_when_something_else_is_typed() -> None:
    engine = ScriptedEngine(["(1, 2)"], chunk_chars=1)
    engine.hold()
    workspace = TestWorkspace(engine)
    request = asyncio.create_task(workspace.completer.complete(AREA, manual=False))
    await engine.arrived.wait()
    workspace.completer.changed(_typed(AREA, "x"))
    assert (await request).reason == "superseded"
    await workspace.completer.close()


async def test_a_stream_that_goes_on_to_another_name_is_not_taken_for_the_entry() -> None:
    engine = ScriptedEngine(["eas_of(1, 2)", "(1, 2)"], chunk_chars=2)
    for released in (1, 3):
        engine.hold()
        workspace = TestWorkspace(engine)
        first = asyncio.create_task(workspace.completer.complete(PLAIN, manual=False))
        engine.arrived.clear()
        await engine.arrived.wait()
        engine.step(released)
        second = asyncio.create_task(workspace.completer.complete(AREA, manual=False))
        await asyncio.sleep(0)
        engine.release()
        await asyncio.wait([first])
        assert _text(await second) == "(1, 2)"
        await workspace.completer.close()
        engine = ScriptedEngine(["eas_of(1, 2)", "(1, 2)"], chunk_chars=2)


async def test_what_would_make_another_name_is_kept_for_the_document_as_it_is() -> None:
    engine = ScriptedEngine(["s_of(1, 2)"])
    workspace = TestWorkspace(engine)
    plain = cursor_of(HEAD + "value = area$0\nprint(value)\n")
    behind = chosen(HEAD + "value = area$0\nprint(value)\n", "area")
    assert behind.snapshot.text == plain.snapshot.text
    for _ in range(2):
        assert (await workspace.completer.complete(behind, manual=False)).reason == "trimmed.entry"
        assert _text(await workspace.completer.complete(plain, manual=False)) == "s_of(1, 2)"
    await workspace.completer.close()


async def test_what_was_written_for_an_entry_takes_nothing_from_the_plain_suggestion() -> None:
    engine = ScriptedEngine(_knowing)
    workspace = TestWorkspace(engine)
    await workspace.completer.complete(PLAIN, manual=False)
    await workspace.completer.complete(chosen(BEFORE, "arg"), manual=False)
    longer = _typed(PLAIN, "e")  # shorter than the document with the item, yet nothing was erased
    workspace.completer.changed(longer)
    assert _text(await workspace.completer.complete(longer, manual=False)) == "a(1, 2)"
    assert _text(await workspace.completer.complete(chosen(BEFORE, "arg"), manual=False)) == ".name"
    assert len(engine.requests) == 2
    await workspace.completer.close()


async def test_what_follows_is_prepared_for_the_line_with_the_entry() -> None:
    taken = "value = area(1, 2)\n"
    engine = ScriptedEngine(lambda request: "print(area(1, 2))" if taken in _prompt(request) else "(1, 2)")
    workspace = TestWorkspace(engine)
    cursor = chosen(HEAD + "value = ar$0", "area")
    await workspace.completer.complete(cursor, manual=False)
    engine.arrived.clear()
    async with asyncio.timeout(5):
        await engine.arrived.wait()
    below = _typed(CursorContext(accepted(cursor, "(1, 2)", 0).snapshot, cursor.offset + 6), "\n")
    workspace.completer.changed(below)
    assert _text(await workspace.completer.complete(below, manual=False)) == "print(area(1, 2))"
    assert len(engine.requests) == 2
    await workspace.completer.close()


# -- what becomes of it ----------------------------------------------------------------------------------------------


async def test_a_rejected_text_is_not_offered_behind_the_entry_nor_without_it() -> None:
    for first, second in ((PLAIN, AREA), (AREA, PLAIN)):
        workspace = TestWorkspace(ScriptedEngine(_knowing))
        answer = await workspace.completer.complete(first, manual=False)
        assert answer.suggestion is not None
        workspace.completer.dismissed(answer.suggestion.id)
        for cursor in (first, second):
            assert (await workspace.completer.complete(cursor, manual=False)).reason == "trimmed.rejected"
        assert _text(await workspace.completer.complete(chosen(BEFORE, "arg"), manual=False)) == ".name"
        await workspace.completer.close()


async def test_an_entry_that_is_not_taken_says_nothing_of_what_continued_it(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    workspace = TestWorkspace(ScriptedEngine(_knowing), feedback=Feedback(path), read_ms=0.0)
    await workspace.completer.complete(AREA, manual=False)
    workspace.completer.changed(_typed(AREA, "r"))  # the menu goes on to "array"
    workspace.completer.changed(PLAIN)  # and back
    assert _text(await workspace.completer.complete(AREA, manual=False)) == "(1, 2)"
    assert not path.exists()
    workspace.completer.changed(_taken(AREA))
    await workspace.completer.complete(_taken(AREA), manual=False)
    workspace.completer.changed(_typed(_taken(AREA), "."))
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["rejected"]
    assert (await workspace.completer.complete(AREA, manual=False)).reason == "trimmed.rejected"
    await workspace.completer.close()


async def test_what_the_menu_hides_is_not_rejected_by_typing_on(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    workspace = TestWorkspace(ScriptedEngine(["ea(1, 2)", ""]), feedback=Feedback(path), read_ms=0.0)
    await workspace.completer.complete(PLAIN, manual=False)
    assert (await workspace.completer.complete(chosen(BEFORE, "array"), manual=False)).reason == "empty"
    workspace.completer.changed(_typed(PLAIN, "r"))
    assert not path.exists()
    assert _text(await workspace.completer.complete(PLAIN, manual=False)) == "ea(1, 2)"
    await workspace.completer.close()


async def test_only_what_goes_beyond_the_entry_counts_as_taken(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    workspace = TestWorkspace(ScriptedEngine(["(1, 2)"]), feedback=Feedback(path))
    answer = await workspace.completer.complete(AREA, manual=False)
    assert answer.suggestion is not None
    for length in (3, 4, 6):
        workspace.completer.shown_suggestions.partly_accepted(answer.suggestion.id, length)
    workspace.completer.changed(accepted(AREA, "(1, 2)", 0))
    workspace.completer.accepted(answer.suggestion.id)
    workspace.completer.feedback.look(answer.suggestion.id, 30)
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(event["event"], event["accepted_characters"]) for event in events] == [
        ("partly_accepted", 2), ("accepted", 6), ("kept", 6)
    ]  # fmt: skip
    assert events[-1]["kept_characters"] == 6
    await workspace.completer.close()


async def test_a_recorded_request_keeps_its_entry() -> None:
    workspace = TestWorkspace(ScriptedEngine(["s_of(1, 2)"]))
    recordings: list[Recording] = []
    workspace.completer.writer.record_with(lambda recording: str(recordings.append(recording) or ""))
    await workspace.completer.complete(AREA, manual=False)
    assert recordings[0].cursor.selected == AREA.selected
    assert recordings[0].cursor.document.text == PLAIN.snapshot.text
    case = recordings[0].as_case()
    assert f"=== before\n{BEFORE}\n" in case
    assert "=== entry\narea\n" in case
    assert "=== reason\ntrimmed.entry\n" in case
    await workspace.completer.close()


# -- properties ------------------------------------------------------------------------------------------------------

CURSORS = [
    ("main.py", "def area(w):\n    ar$0\n    return w\n"),
    ("main.py", "value = call(ar$0)\n"),
    ("main.py", "first = 1\nvalue = [ar$0"),
    ("main.py", 'text = "\U0001f600e\u0301"; ar$0\r\nprint(text)\r\n'),
    ("main.ts", "function f(ar: number[]) {\n\treturn ar$0;\n}\n"),
    ("main.go", "package main\n\nfunc f(a int) int {\n\treturn ar$0\n}\n"),
    ("notes.txt", "one two\n  ar$0\nthree\n"),
]
ENTRIES = ["area", "ar", "array", "é\U0001f600", "call()", "x.y", "if w:\n        pass", " ", "A" * 50, "'"]
PIECES = ["(1, 2)", "s", "\n", "\n    ", "ea", "ray", ")", "(", " = 1", "w", "]", ".x", "\U0001f600", "'", " "]
SAID = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
PLAIN_QUESTION, TAKEN = "", "taken"
STEPS = st.lists(st.sampled_from([*ENTRIES, PLAIN_QUESTION, TAKEN, "type e", "type a", "type ("]), max_size=8)


@pytest.mark.slow
@given(st.sampled_from(CURSORS), SAID, STEPS, st.lists(SAID, min_size=1, max_size=4), st.booleans())
@settings(max_examples=150, deadline=None)
@example(CURSORS[0], "ea(1, 2)", [PLAIN_QUESTION, "area", "ar", TAKEN, PLAIN_QUESTION], ["s"], False)
@example(CURSORS[0], "(1, 2)", [PLAIN_QUESTION, "ar"], ["s"], True)
def test_an_item_for_a_chosen_entry_always_begins_with_it_over_its_range(
    place: tuple[str, str], first: str, steps: list[str], others: list[str], manual: bool
) -> None:
    async def work() -> None:
        workspace = TestWorkspace(ScriptedEngine([first, *others], chunk_chars=3))
        plain = cursor = cursor_of(place[1], place[0])
        begun = 2
        for step in steps:
            if step == TAKEN or step.startswith("type "):
                begun = 0 if step == TAKEN else begun + 1
                plain = _taken(cursor) if step == TAKEN else _typed(plain, step[-1])
                workspace.completer.changed(plain)
                continue
            cursor = behind_item(plain, plain.offset - begun, plain.offset, step) if step else plain
            answer = await workspace.completer.complete(cursor, manual=manual, candidates=2)
            for suggestion in (answer.suggestion, *answer.others):
                if suggestion is not None:
                    _check(plain, cursor, begun if step else 0, cursor.edit(suggestion.text, suggestion.replaced))
        await workspace.completer.close()

    asyncio.run(work())


def _check(plain: CursorContext, cursor: CursorContext, begun: int, edit: Edit) -> None:
    """What VS Code asks of an item beside its menu, and what everybody asks of any."""
    selected = cursor.selected.text if cursor.selected else ""
    assert edit.new_text.startswith(selected)
    assert edit.new_text != selected
    assert edit.span.start == plain.offset - begun
    assert edit.span.end >= plain.offset
    assert cursor.document.text == plain.snapshot.text
    if selected[-1:].isalnum():
        assert not edit.new_text[len(selected)].isalnum()
    if cursor.language:
        before, after = cursor.snapshot.text, apply_edits(plain.snapshot.text, [edit])
        assert parsed(cursor.language, after).error_count <= parsed(cursor.language, before).error_count


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("value = ar", True), ("value = arA", True), ("value = aa", True), ("value = area", True), ("value = ", True),
        ("value = arx", False), ("value = area(", False), ("value = ar\n", False), ("other = ar", False),
    ],
)  # fmt: skip
def test_an_entry_may_be_taken_while_what_is_typed_occurs_in_it(text: str, may: bool) -> None:
    assert may_be_taken(cursor_of(HEAD + f"{text}$0\nprint(value)\n"), AREA) is may
    assert not may_be_taken(cursor_of(HEAD + f"{text}$0\nprint(value)\n", "other.py"), AREA)
    assert not may_be_taken(cursor_of(HEAD + f"{text}$0\nprint(values)\n"), AREA)
    assert not may_be_taken(PLAIN, PLAIN)
