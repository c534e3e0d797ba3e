"""Prefetching before the first key: when it is requested, when it is not, and that it gives way."""

import asyncio

from spark_lsp.config import CompletionSettings
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.pacing import TypingActivity
from tests.completion.check import cursor_of
from tests.support.workspace import TestWorkspace

HERE = "def area(w, h):\n    return w * h\n\n\nprint($0)\n"
THERE = "def area(w, h):\n    $0\n\n\nprint()\n"


async def _read(workspace: TestWorkspace) -> None:
    task = workspace.cursor_prefetch._task
    assert task is not None
    await asyncio.gather(task, return_exceptions=True)


async def test_the_prompt_of_a_resting_cursor_is_read_and_nothing_is_written() -> None:
    engine = ScriptedEngine(["area(1, 2)"])
    workspace = TestWorkspace(engine)
    await engine.start()
    workspace.cursor_prefetch.look(cursor_of(HERE))
    await _read(workspace)
    await workspace.completer.complete(cursor_of(HERE), manual=False)
    cursor_prefetch, asked = engine.requests
    assert cursor_prefetch.max_tokens == 0
    assert cursor_prefetch.prompt == asked.prompt
    assert cursor_prefetch.priority > asked.priority
    assert cursor_prefetch.key != asked.key  # or it would end the completion that overtakes it


async def test_the_same_place_is_read_once() -> None:
    engine = ScriptedEngine([""])
    workspace = TestWorkspace(engine)
    await engine.start()
    cursor = cursor_of(HERE)
    workspace.cursor_prefetch.look(cursor)
    await _read(workspace)
    workspace.cursor_prefetch.look(cursor)
    await _read(workspace)
    assert len(engine.requests) == 1
    workspace.cursor_prefetch.restart()
    await _read(workspace)
    assert len(engine.requests) == 2


async def test_a_place_that_is_passed_is_not_read() -> None:
    engine = ScriptedEngine([""])
    workspace = TestWorkspace(engine)
    await engine.start()
    workspace.cursor_prefetch.look(cursor_of(HERE))
    workspace.cursor_prefetch.look(cursor_of(THERE))
    await _read(workspace)
    (request,) = engine.requests
    assert "print()" in "".join(part.text for part in request.prompt)


async def test_a_key_makes_it_stop() -> None:
    engine = ScriptedEngine([""])
    engine.hold()
    workspace = TestWorkspace(engine)
    await engine.start()
    workspace.cursor_prefetch.look(cursor_of(HERE))
    await engine.arrived.wait()
    workspace.cursor_prefetch.stop()
    await _read(workspace)
    assert engine.stopped == [None]
    workspace.cursor_prefetch.restart()  # a cached prefix that was prefilled meanwhile restores nothing
    await _read(workspace)
    assert len(engine.requests) == 1


async def test_no_model_is_started_for_it() -> None:
    engine = ScriptedEngine([""])
    workspace = TestWorkspace(engine)
    workspace.cursor_prefetch.look(cursor_of(HERE))
    await _read(workspace)
    assert engine.requests == []
    assert (await engine.status()).model is None


async def test_switched_off_means_that_nothing_is_read() -> None:
    for off in (CompletionSettings(enabled=False), CompletionSettings(languages={"python": False})):
        engine = ScriptedEngine([""])
        workspace = TestWorkspace(engine, settings=off)
        await engine.start()
        workspace.cursor_prefetch.look(cursor_of(HERE))
        assert workspace.cursor_prefetch._task is None
        assert engine.requests == []


async def test_a_user_rests_a_second_after_the_last_key_and_is_read_for_where_they_stopped() -> None:
    engine = ScriptedEngine([""])
    now_s = 0.0
    typing = TypingActivity(now=lambda: now_s)
    workspace = TestWorkspace(engine, typing=typing)
    await engine.start()
    assert typing.is_resting()
    workspace.cursor_prefetch.stop()
    workspace.cursor_prefetch.rest_at(cursor_of(THERE))
    assert engine.requests == []
    now_s = 0.9
    assert not typing.is_resting()
    now_s = 1.0
    assert typing.is_resting()
    workspace.cursor_prefetch.restart()
    await _read(workspace)
    (request,) = engine.requests
    assert "print()" in "".join(part.text for part in request.prompt)
