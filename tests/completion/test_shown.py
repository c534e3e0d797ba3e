"""The outcome of a visible suggestion: gates that follow from it, rejections, the local file."""

import json
from pathlib import Path

import pytest

from spark_lsp.completion.answer import Suggestion
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.feedback import Feedback, kept_characters
from spark_lsp.completion.next_line_prefetch import accepted
from spark_lsp.completion.reuse import Reuse
from spark_lsp.completion.shown import ShownSuggestions
from spark_lsp.engine.testing import ScriptedEngine
from tests.completion.check import cursor_of
from tests.support.workspace import TestWorkspace, snapshot_of

BEFORE = "def area(w, h):\n    return w * h\n\n\nvalue = $0\n"


def _typed(cursor: CursorContext, text: str) -> CursorContext:
    new = cursor.prefix + text + cursor.suffix
    return CursorContext(snapshot_of("main.py", new, cursor.snapshot.version + 1), cursor.offset + len(text))


def _events(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def test_after_accepting_a_line_nothing_is_shown_until_the_next_key() -> None:
    workspace = TestWorkspace(ScriptedEngine(["area(1, 2)", "\nprint(value)"]))
    cursor = cursor_of(BEFORE)
    answer = await workspace.completer.complete(cursor, manual=False)
    assert answer.suggestion is not None
    after = accepted(cursor, answer.suggestion.text, 0)
    workspace.completer.accepted(answer.suggestion.id)
    workspace.completer.changed(after)  # in this order or the other
    assert (await workspace.completer.complete(after, manual=False)).reason == "gate.accepted"
    assert (await workspace.completer.complete(after, manual=True)).reason != "gate.accepted"
    next_line = _typed(after, "\n")
    workspace.completer.changed(next_line)
    assert (await workspace.completer.complete(next_line, manual=False)).reason != "gate.accepted"
    await workspace.completer.close()


async def test_several_cursors_are_left_alone() -> None:
    engine = ScriptedEngine(["area(1, 2)"])
    workspace = TestWorkspace(engine)
    cursor = _typed(cursor_of(BEFORE), "a")
    workspace.completer.changed(cursor, cursors=3)
    assert (await workspace.completer.complete(cursor, manual=False)).reason == "gate.several_cursors"
    assert engine.requests == []
    first = _typed(cursor, "r")
    workspace.completer.changed(first)
    assert (await workspace.completer.complete(first, manual=False)).reason == "ok"
    await workspace.completer.close()


async def test_gates_of_asking_do_not_hide_what_is_shown_already() -> None:
    engine = ScriptedEngine(["area(1, 2) + area(3, 4)"])
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    await workspace.completer.complete(cursor, manual=False)
    answer = await workspace.completer.complete(
        _typed(cursor, "area(1, 2)"), manual=False
    )  # gate.finished, were it fresh
    assert answer.suggestion is not None
    assert answer.suggestion.text == " + area(3, 4)"
    assert len(engine.requests) == 1
    await workspace.completer.close()


async def test_a_suggestion_that_was_read_and_typed_over_is_not_shown_there_again() -> None:
    reuse, feedback = Reuse(), Feedback()
    cursor = cursor_of(BEFORE)
    feedback.offered(1, "python", 10)
    for read_ms, is_rejected in ((10_000.0, False), (0.0, True)):
        shown_suggestions = ShownSuggestions(reuse, feedback, read_ms=read_ms)
        shown_suggestions.show(cursor, Suggestion("area(1, 2)", 0, 1))
        shown_suggestions.changed(_typed(cursor, "max"), 1)
        assert reuse.is_rejected(cursor, "area(1, 2)") is is_rejected
    assert feedback.rejected_count == 1


async def test_a_dismissed_suggestion_is_counted_and_not_offered_there_again(tmp_path: Path) -> None:
    feedback = Feedback(tmp_path / "feedback.jsonl")
    workspace = TestWorkspace(ScriptedEngine(["area(1, 2)"]), feedback=feedback)
    cursor = cursor_of(BEFORE)
    answer = await workspace.completer.complete(cursor, manual=False)
    assert answer.suggestion is not None
    workspace.completer.dismissed(answer.suggestion.id)
    workspace.completer.changed(_typed(cursor, "max"))  # counted already
    workspace.completer.accepted(answer.suggestion.id)
    workspace.completer.dismissed(12345)
    for place, manual in ((cursor, False), (_typed(cursor, "ar"), False), (cursor, True)):
        assert (await workspace.completer.complete(place, manual=manual)).reason == "trimmed.rejected"
    assert [event["event"] for event in _events(tmp_path / "feedback.jsonl")] == ["rejected"]
    await workspace.completer.close()


async def test_dismissed_while_it_grows_it_is_stopped_and_does_not_come_back_longer() -> None:
    engine = ScriptedEngine(["area(1, 2) + area(3, 4)"], chunk_chars=8)
    engine.hold()
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    engine.step(2)
    stream = workspace.completer.stream(cursor, manual=False)
    first = await anext(stream)
    assert first.suggestion is not None
    workspace.completer.feedback.shown(first.suggestion.id)
    workspace.completer.dismissed(first.suggestion.id)
    assert [answer.suggestion async for answer in stream] == [None]
    engine.release()
    again = [answer async for answer in workspace.completer.stream(cursor, manual=False)]
    assert [(answer.suggestion, answer.reason) for answer in again] == [(None, "trimmed.rejected")]
    by_hand = await workspace.completer.complete(cursor, manual=True)
    assert by_hand.suggestion is not None
    assert (workspace.completer.feedback.shown_count, workspace.completer.feedback.rejected_count) == (1, 1)
    await workspace.completer.close()


async def test_a_rejected_text_does_not_show_while_it_is_written_again() -> None:
    engine = ScriptedEngine(["area(1, 2)", "area(1, 2)", "area(1, 3)"], chunk_chars=2)
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    answer = await workspace.completer.complete(cursor, manual=False)
    assert answer.suggestion is not None
    workspace.completer.dismissed(answer.suggestion.id)
    for final, manual in ((None, False), ("area(1, 3)", True)):
        shown = [one_answer.suggestion async for one_answer in workspace.completer.stream(cursor, manual=manual)]
        assert {suggestion.text if suggestion else None for suggestion in shown} == {final}
    await workspace.completer.close()


async def test_another_candidate_can_be_accepted_and_dismissed() -> None:
    answers = ["area(1, 2)", "max(value, 3)", "min(value)"]
    workspace = TestWorkspace(ScriptedEngine(answers))
    answer = await workspace.completer.complete(cursor_of(BEFORE), manual=True, candidates=3)
    second, third = answer.others
    workspace.completer.dismissed(second.id)
    workspace.completer.accepted(third.id)
    assert (workspace.completer.feedback.rejected_count, workspace.completer.feedback.accepted_count) == (1, 1)
    await workspace.completer.close()


async def test_accepting_and_typing_through_are_no_rejections(tmp_path: Path) -> None:
    feedback = Feedback(tmp_path / "feedback.jsonl")
    workspace = TestWorkspace(ScriptedEngine(["area(1, 2)"]), feedback=feedback)
    cursor = cursor_of("def area(w, h):\n    return w * h\n\n\nvalue = ($0)\n")
    answer = await workspace.completer.complete(cursor, manual=False)
    assert answer.suggestion is not None
    workspace.completer.changed(_typed(cursor, "area("))
    workspace.completer.changed(accepted(cursor, "area(1, 2)", 0))
    workspace.completer.accepted(answer.suggestion.id)
    feedback.look(answer.suggestion.id, 30)
    workspace.completer.changed(_typed(cursor, "area(1, 22)"))
    feedback.look(answer.suggestion.id, 300)
    events = _events(tmp_path / "feedback.jsonl")
    assert [event["event"] for event in events] == ["accepted", "kept", "kept"]
    assert [event.get("kept_characters") for event in events[1:]] == [10, 9]
    assert {event["model"] for event in events} == {"scripted"}
    assert feedback.rejected_count == 0
    await workspace.completer.close()


@pytest.mark.parametrize(
    ("text", "document", "kept"),
    [
        ("area(1, 2)", "x = 1\nvalue = area(1, 2)\n", 10),
        ("area(1, 2)", "x = 1\nvalue = area(1, 3)\n", 8),
        ("area(1, 2)", "x = 1\nvalue = 0\n", 0),
        ("area(1, 2)", "", 0),
        ("x", "x", 1),
    ],
)
def test_what_is_kept_of_an_accepted_text(text: str, document: str, kept: int) -> None:
    assert kept_characters(text, document, 14) == kept


async def test_accepted_texts_are_followed_through_edits_above() -> None:
    feedback = Feedback()
    feedback.offered(1, "python", 10)
    feedback.watch(1, "file:///a", 8, "area(1, 2)", "value = area(1, 2)\n")
    feedback.edited("file:///a", "import os\n" * 400 + "value = area(1, 2)\n")
    feedback.edited("file:///b", "")
    assert feedback._watched[1].offset == 4008
    feedback.look(1, 300)
    assert feedback._watched == {}


def test_a_full_file_keeps_its_newer_half(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    path.write_text("".join(f'{{"event": "shown", "n": {n}, "pad": "{"x" * 100}"}}\n' for n in range(60_000)))
    feedback = Feedback(path)
    feedback.offered(1, "python", 3)
    feedback.shown(1)
    events = _events(path)
    assert len(events) == 30_001
    assert events[0]["n"] == 30_000


async def test_by_hand_there_are_candidates_that_differ() -> None:
    answers = iter(["area(1, 2)", "area(1, 2)", "area(1, 3) ", "max(value, 3)"])
    engine = ScriptedEngine(lambda _request: next(answers, ""))
    workspace = TestWorkspace(engine)
    answer = await workspace.completer.complete(cursor_of(BEFORE), manual=True, candidates=3)
    assert answer.suggestion is not None
    assert [answer.suggestion.text, *(alternative.text for alternative in answer.others)] == [
        "area(1, 2)",
        "max(value, 3)",
    ]
    first, *others = engine.requests
    assert first.sampling.temperature == 0
    assert all(request.sampling.temperature > 0 and request.prompt == first.prompt for request in others)
    assert len({request.sampling.seed for request in others}) == len(others) == 4
    await workspace.completer.close()


async def test_by_hand_a_stream_ends_with_further_candidates_and_its_own_text_does_not_wait() -> None:
    answers = ["area(1, 2)", "max(value, 3)", "min(value)"]
    for manual, wanted in ((True, 3), (False, 3), (True, 1)):
        workspace = TestWorkspace(ScriptedEngine(answers, chunk_chars=3))
        stream = workspace.completer.stream(cursor_of(BEFORE), manual=manual, candidates=wanted)
        *partial, final = [answer async for answer in stream]
        assert final.suggestion is not None
        assert final.suggestion.text == "area(1, 2)"
        assert len(final.others) == (2 if manual and wanted > 1 else 0)
        assert not any(answer.others or answer.final for answer in partial)
        assert {answer.suggestion.id for answer in partial if answer.suggestion} == {final.suggestion.id}
        if final.others:
            assert partial[-1].suggestion == final.suggestion
        await workspace.completer.close()


async def test_accepted_while_further_candidates_are_written_it_is_not_on_the_screen_again() -> None:
    workspace = TestWorkspace(ScriptedEngine(["area(1, 2)", "max(value, 3)", "min(value)"]), read_ms=0.0)
    cursor = cursor_of(BEFORE)
    stream = workspace.completer.stream(cursor, manual=True, candidates=3)
    async for answer in stream:
        if answer.suggestion and answer.suggestion.text == "area(1, 2)" and not answer.final:
            workspace.completer.changed(accepted(cursor, "area(1, 2)", 0))
            workspace.completer.accepted(answer.suggestion.id)
    workspace.completer.changed(_typed(cursor, "area(1, 2) + 1"))
    assert not workspace.completer.reuse.is_rejected(cursor, "area(1, 2)")
    assert (workspace.completer.feedback.accepted_count, workspace.completer.feedback.rejected_count) == (1, 0)
    await workspace.completer.close()


async def test_switched_off_for_a_file() -> None:
    engine = ScriptedEngine(["area(1, 2)"])
    workspace = TestWorkspace(engine, exclude=["main.py"])
    assert (await workspace.completer.complete(cursor_of(BEFORE), manual=True)).reason == "disabled"
    assert (engine.starts, engine.requests) == (0, [])
