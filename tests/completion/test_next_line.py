"""The next line is prefetched while a suggestion is visible, at the lowest priority, and dropped in time."""

import asyncio

import pytest

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.next_line_prefetch import accepted, next_line
from spark_lsp.completion.writer import NEXT_PRIORITY
from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.testing import ScriptedEngine
from tests.completion.check import cursor_of
from tests.support.workspace import TestWorkspace, snapshot_of

BEFORE = "def area(w, h):\n    return w * h\n\n\ndef show(w):\n    first = $0\n"
PATIENCE_S = 5.0


def _typed(cursor: CursorContext, text: str) -> CursorContext:
    new = cursor.prefix + text + cursor.suffix
    return CursorContext(snapshot_of("main.py", new, cursor.snapshot.version + 1), cursor.offset + len(text))


def _answers(request: CompletionRequest) -> str:
    return "return first" if request.priority == NEXT_PRIORITY else "area(w, w)"


async def _prepared(engine: ScriptedEngine, workspace: TestWorkspace, cursor: CursorContext) -> None:
    """Send a request, and wait until the next line has been requested."""
    await workspace.completer.complete(cursor, manual=False)
    engine.arrived.clear()
    async with asyncio.timeout(PATIENCE_S):
        await engine.arrived.wait()


async def test_what_follows_is_there_when_the_suggestion_is_taken() -> None:
    engine = ScriptedEngine(_answers)
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    await _prepared(engine, workspace, cursor)
    assert [request.priority for request in engine.requests] == [0, NEXT_PRIORITY]
    after = accepted(cursor, "area(w, w)", 0)
    workspace.completer.changed(after)
    workspace.completer.accepted(1)
    assert (await workspace.completer.complete(after, manual=False)).reason == "gate.accepted"
    next_line = _typed(after, "\n    ")
    workspace.completer.changed(next_line)
    answer = await workspace.completer.complete(next_line, manual=False)
    assert answer.suggestion is not None
    assert answer.suggestion.text == "return first"
    assert [request.priority for request in engine.requests].count(0) == 1
    await workspace.completer.close()


async def test_what_follows_is_dropped_when_something_else_is_typed() -> None:
    engine = ScriptedEngine(_answers)
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    await workspace.completer.complete(cursor, manual=False)
    engine.hold()
    engine.arrived.clear()
    async with asyncio.timeout(PATIENCE_S):
        await engine.arrived.wait()
    generation = workspace.completer.next_line_prefetch._prepared[cursor.snapshot.uri].generation
    assert generation is not None
    assert generation.task is not None
    workspace.completer.changed(_typed(cursor, "max("))
    await asyncio.wait([generation.task])
    assert engine.stopped == ["end", None]
    await workspace.completer.close()


async def test_typing_the_suggestion_keeps_what_follows() -> None:
    engine = ScriptedEngine(_answers)
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    await _prepared(engine, workspace, cursor)
    here = cursor
    for char in "area(w, w)":
        here = _typed(here, char)
        workspace.completer.changed(here)
        await workspace.completer.complete(here, manual=False)
    below = _typed(here, "\n    ")
    workspace.completer.changed(below)
    answer = await workspace.completer.complete(below, manual=False)
    assert answer.suggestion is not None
    assert answer.suggestion.text == "return first"
    assert [request.priority for request in engine.requests].count(0) == 1
    await workspace.completer.close()


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        ("def f():\n    x = $0\n", "1", "def f():\n    x = 1\n    $0\n"),
        ("def f():\n    if $0\n", "x:", "def f():\n    if x:\n        $0\n"),
        ("def f():\r\n    x = $0\r\n", "1", "def f():\r\n    x = 1\r\n    $0\r\n"),
        ("f(x$0)\n", "1", ""),
    ],
)
def test_the_next_line_is_indented_as_editors_do(before: str, text: str, after: str) -> None:
    cursor = next_line(cursor_of(before), text, 0)
    assert (f"{cursor.prefix}$0{cursor.suffix}" if cursor else "") == after


async def test_nothing_is_prepared_for_a_suggestion_that_was_typed_over_at_once() -> None:
    engine = ScriptedEngine(_answers)
    workspace = TestWorkspace(engine)
    cursor = cursor_of(BEFORE)
    await workspace.completer.complete(cursor, manual=False)
    workspace.completer.changed(_typed(cursor, "x"))
    assert workspace.completer.next_line_prefetch._prepared == {}
    await workspace.completer.close()
