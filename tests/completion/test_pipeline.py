"""The pipeline's behaviour over time: reuse, adoption, deadlines, cancellation, reasons."""

import asyncio
import itertools

import msgspec
import pytest

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.generations import CANCEL_GRACE_MS
from spark_lsp.config import CompletionSettings
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import EngineFailed, ModelMissing
from tests.completion.check import cursor_of
from tests.support.workspace import FAST, TestWorkspace, snapshot_of

BEFORE = "def area(w, h):\n    return w * h\n\n\nprint($0)\n"


def _typed(cursor: CursorContext, text: str) -> CursorContext:
    """The same document after typing at the cursor."""
    new = cursor.prefix + text + cursor.suffix
    return CursorContext(snapshot_of("main.py", new, cursor.snapshot.version + 1), cursor.offset + len(text))


async def _written(workspace: TestWorkspace, cursor: CursorContext) -> None:
    """Wait until the document's generation has ended, which may be after its request."""
    generation = workspace.completer.generations.of(cursor.snapshot.uri)
    assert generation is not None
    assert generation.task is not None
    await generation.task


async def test_typed_through_needs_no_request() -> None:
    engine = ScriptedEngine(["area(1, 2)"])
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    first = await workspace.completer.complete(cursor, manual=False)
    second = await workspace.completer.complete(_typed(cursor, "area("), manual=False)
    assert first.suggestion is not None
    assert second.suggestion is not None
    assert first.suggestion.text == "area(1, 2)"
    assert second.suggestion.text == "1, 2)"
    assert len(engine.requests) == 1


async def test_what_was_not_sure_is_shown_once_its_doubtful_part_is_typed() -> None:
    engine = ScriptedEngine(["area(1, 2)"], probability=lambda token: 0.05 if token == "area" else 0.99)
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    assert (await workspace.completer.complete(cursor, manual=False)).reason == "trimmed.confidence"
    assert (await workspace.completer.complete(_typed(cursor, "a"), manual=False)).reason == "trimmed.confidence"
    await _written(workspace, cursor)
    answer = await workspace.completer.complete(_typed(cursor, "area"), manual=False)
    assert answer.suggestion is not None
    assert answer.suggestion.text == "(1, 2)"
    assert len(engine.requests) == 1
    assert workspace.log[-1].facts["reuse"] == "said_before"
    await workspace.completer.complete(_typed(cursor, "b"), manual=False)
    assert len(engine.requests) == 2
    await workspace.completer.close()


async def test_a_request_is_answered_once_no_more_can_be_shown_though_the_model_goes_on() -> None:
    """The model was unsure of its first token and still wrote for 2 to 10 s, and the request waited for the end."""
    text = "area(1, 2)\nprint(3)\nprint(4)\n"
    engine = ScriptedEngine([text], probability=lambda token: 0.05 if token == "area" else 0.99)
    engine.hold()
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    asked = asyncio.create_task(workspace.completer.complete(cursor, manual=False))
    await engine.arrived.wait()
    engine.step(2)
    answer = await asked
    assert (answer.suggestion, answer.reason) == (None, "trimmed.confidence")
    assert workspace.completer.busy
    typed = asyncio.create_task(workspace.completer.complete(_typed(cursor, "area"), manual=False))
    engine.release()
    answer = await typed
    assert answer.suggestion is not None
    assert answer.suggestion.text == "(1, 2)"
    assert workspace.log[-1].facts["reuse"] == "adopted"
    await _written(workspace, cursor)
    assert workspace.log[-1].facts["generated_tokens"] < 16, "it ends with the line"
    assert len(engine.requests) == 1


async def test_running_stream_is_adopted_by_the_next_key() -> None:
    engine = ScriptedEngine(["area(1, 2)"], chunk_chars=2)
    engine.hold()
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    first = asyncio.create_task(workspace.completer.complete(cursor, manual=False))
    await engine.arrived.wait()
    engine.step(2)
    first.cancel()
    workspace.completer.changed(_typed(cursor, "ar"))
    second = asyncio.create_task(workspace.completer.complete(_typed(cursor, "ar"), manual=False))
    engine.release()
    answer = await second
    assert answer.suggestion is not None
    assert answer.suggestion.text == "ea(1, 2)"
    assert len(engine.requests) == 1
    assert workspace.reasons == ["cancelled", "ok"]


async def test_diverging_text_stops_the_stream() -> None:
    engine = ScriptedEngine(["area(1, 2)", "max(1)"], chunk_chars=2)
    engine.hold()
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    engine.step(3)
    first = workspace.completer.stream(cursor, manual=False)
    assert not (await anext(first)).final
    longer = _typed(cursor, "m")
    workspace.completer.changed(longer)
    assert (await anext(first)).reason == "superseded"
    engine.release()
    answer = await workspace.completer.complete(longer, manual=False)
    assert answer.reason == "ok"
    assert len(engine.requests) == 2


async def test_adopted_stream_that_says_something_else_is_replaced() -> None:
    engine = ScriptedEngine(["area(1, 2)", "max(1)"], chunk_chars=2)
    engine.hold()
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    first = asyncio.create_task(workspace.completer.complete(cursor, manual=False))
    await engine.arrived.wait()
    first.cancel()
    second = asyncio.create_task(workspace.completer.complete(_typed(cursor, "m"), manual=False))
    engine.release()
    answer = await second
    assert answer.suggestion is not None
    assert answer.suggestion.text == "max(1)"
    assert len(engine.requests) == 2


async def test_cancelled_and_not_asked_again_stops_the_model() -> None:
    engine = ScriptedEngine(["area(1, 2)"], chunk_chars=2)
    engine.hold()
    workspace = TestWorkspace(engine)
    request = asyncio.create_task(workspace.completer.complete(cursor_of(BEFORE), manual=False))
    await engine.arrived.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    generation = workspace.completer.generations.of(cursor_of(BEFORE).snapshot.uri)
    assert generation is not None
    assert generation.task is not None
    async with asyncio.timeout(CANCEL_GRACE_MS / 1000 * 20):
        await asyncio.wait([generation.task])
    assert not workspace.completer.busy
    assert engine.stopped == [None]
    assert workspace.reasons == ["cancelled"]


async def test_deadline_answers_with_what_is_whole_and_the_rest_follows() -> None:
    engine = ScriptedEngine(["first = w * h\n    second = first + 1\n    return second"], chunk_chars=20)
    engine.hold()
    workspace = TestWorkspace(engine, settings=CompletionSettings(debounce=0, deadline_ms=300))
    cursor = cursor_of("def area(w, h):\n    $0\n")
    request = asyncio.create_task(workspace.completer.complete(cursor, manual=False))
    await engine.arrived.wait()
    engine.step(1)
    answer = await request
    assert answer.suggestion is not None
    assert answer.suggestion.text == "first = w * h"
    engine.release()
    rest = await workspace.completer.complete(_typed(cursor, "first = w * h"), manual=False)
    assert rest.suggestion is not None
    assert rest.suggestion.text == "\n    second = first + 1\n    return second"
    assert len(engine.requests) == 1


async def test_nothing_by_the_deadline_is_a_timeout() -> None:
    engine = ScriptedEngine(["x"])
    engine.hold()
    workspace = TestWorkspace(engine, settings=CompletionSettings(debounce=0, deadline_ms=50))
    answer = await workspace.completer.complete(cursor_of(BEFORE), manual=False)
    assert (answer.suggestion, answer.reason) == (None, "timeout")
    await workspace.completer.close()


async def test_stream_is_cumulative_and_ends_with_the_final_text() -> None:
    workspace = TestWorkspace(ScriptedEngine(["area(1, 2)"], chunk_chars=3))
    answers = [answer async for answer in workspace.completer.stream(cursor_of(BEFORE), manual=False)]
    texts = [answer.suggestion.text for answer in answers if answer.suggestion]
    assert texts[-1] == "area(1, 2)"
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(texts))
    assert [answer.final for answer in answers].count(True) == 1
    assert len({answer.suggestion.id for answer in answers if answer.suggestion}) == 1


async def test_erased_suggestion_is_not_offered_there_again() -> None:
    workspace = TestWorkspace(ScriptedEngine(["area(1, 2)"]))
    cursor = _typed(cursor_of(BEFORE), "a")
    await workspace.completer.complete(cursor, manual=False)
    shorter = cursor_of(BEFORE)
    workspace.completer.changed(shorter)
    answer = await workspace.completer.complete(_typed(shorter, "a"), manual=False)
    assert answer.suggestion is None or answer.suggestion.text != "area(1, 2)"


async def test_newer_request_supersedes_one_that_waits_for_the_typing() -> None:
    workspace = TestWorkspace(ScriptedEngine(["x"]), settings=CompletionSettings(debounce=50, deadline_ms=5000))
    cursor = cursor_of(BEFORE)
    first = asyncio.create_task(workspace.completer.complete(cursor, manual=False))
    await asyncio.sleep(0)
    second = await workspace.completer.complete(_typed(cursor, "w"), manual=False)
    assert (await first).reason == "superseded"
    assert second.reason == "ok"


@pytest.mark.parametrize(
    ("error", "reason"),
    [(EngineFailed("It died."), "engine.failed"), (ModelMissing("Not there."), "model.missing")],
)
async def test_errors_become_reasons(error: Exception, reason: str) -> None:
    engine = ScriptedEngine(["x"])
    engine.start_error = error  # type: ignore[assignment]
    workspace = TestWorkspace(engine)
    assert (await workspace.completer.complete(cursor_of(BEFORE), manual=False)).reason == reason


async def test_death_while_streaming_is_a_reason() -> None:
    engine = ScriptedEngine(["area(1, 2)"], chunk_chars=2)
    engine.die_after(1)
    workspace = TestWorkspace(engine)
    assert (await workspace.completer.complete(cursor_of(BEFORE), manual=False)).reason == "engine.failed"
    assert (await workspace.completer.complete(cursor_of(BEFORE), manual=False)).reason == "ok"


async def test_model_without_fim_says_so() -> None:
    workspace = TestWorkspace(ScriptedEngine(["x"], family=""))
    assert (await workspace.completer.complete(cursor_of(BEFORE), manual=False)).reason == "model.no_fim"


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("value = na$0me\nprint(value)", "gate.mid_word"),
        ("value = $0 + other\nprint(value)", "gate.mid_line"),
        ("print(value_of_it)$0", "gate.finished"),
        ("x$0", "gate.too_little"),
        ("binary \0 text is not for us\n$0", "gate.binary"),
    ],
)
async def test_gates(before: str, reason: str) -> None:
    engine = ScriptedEngine(["x"])
    workspace = TestWorkspace(engine)
    assert (await workspace.completer.complete(cursor_of(before), manual=False)).reason == reason
    assert engine.requests == []


async def test_soft_gates_open_by_hand() -> None:
    workspace = TestWorkspace(ScriptedEngine(["1"]))
    assert (
        await workspace.completer.complete(cursor_of("value = $0 + other\nprint(value)"), manual=True)
    ).reason == "ok"


async def test_comment_gate_follows_the_setting() -> None:
    cursor = cursor_of("def f(x):\n    # the value of $0\n    return x\n")
    off = TestWorkspace(ScriptedEngine(["x"]), settings=msgspec.structs.replace(FAST, in_comments=False))
    on = TestWorkspace(ScriptedEngine(["x"]))
    assert (await off.completer.complete(cursor, manual=False)).reason == "gate.comment"
    assert (await on.completer.complete(cursor, manual=False)).reason == "ok"


async def test_off_is_off() -> None:
    engine = ScriptedEngine(["x"])
    workspace = TestWorkspace(engine, settings=CompletionSettings(enabled=False))
    assert (await workspace.completer.complete(cursor_of(BEFORE), manual=True)).reason == "disabled"
    workspace = TestWorkspace(engine, settings=CompletionSettings(languages={"python": False}))
    assert (await workspace.completer.complete(cursor_of(BEFORE), manual=True)).reason == "disabled"
    workspace = TestWorkspace(engine)
    workspace.completer.pause()
    assert (await workspace.completer.complete(cursor_of(BEFORE), manual=True)).reason == "paused"
    assert (engine.starts, engine.requests) == (0, [])


async def test_feedback_counts_what_became_of_a_suggestion(tmp_path) -> None:
    feedback = Feedback(tmp_path / "feedback.jsonl")
    workspace = TestWorkspace(ScriptedEngine(["area(1, 2)"]), feedback=feedback)
    answer = await workspace.completer.complete(cursor_of(BEFORE), manual=False)
    assert answer.suggestion is not None
    feedback.shown(answer.suggestion.id)
    feedback.partly_accepted(answer.suggestion.id, 4)
    feedback.accepted(answer.suggestion.id)
    feedback.accepted(12345)
    lines = [msgspec.json.decode(line) for line in (tmp_path / "feedback.jsonl").read_bytes().splitlines()]
    assert [line["event"] for line in lines] == ["shown", "partly_accepted", "accepted"]
    assert lines[-1]["accepted_characters"] == len("area(1, 2)")
    assert "area" not in (tmp_path / "feedback.jsonl").read_text()


async def test_a_large_document_is_parsed_beside_the_loop_and_still_checked() -> None:
    workspace = TestWorkspace(ScriptedEngine(["area(1, (2"]))
    before = "".join(f"def f{number}(x):\n    return x\n\n\n" for number in range(400)) + BEFORE
    answer = await workspace.completer.complete(cursor_of(before, "large.py"), manual=False)
    assert answer.suggestion is not None
    assert answer.suggestion.text == "area"
    await workspace.completer.close()
