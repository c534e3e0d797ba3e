"""Reading ahead of the first key: what is asked, when nothing is, and that it makes way."""

import asyncio

from spark_lsp.config import CompletionSettings
from spark_lsp.engine.fake import ScriptedEngine
from tests.completion.check import hole_of
from tests.support.rooms import TestRooms

HERE = "def area(w, h):\n    return w * h\n\n\nprint($0)\n"
THERE = "def area(w, h):\n    $0\n\n\nprint()\n"


async def _read(rooms: TestRooms) -> None:
    task = rooms.ahead._task
    assert task is not None
    await asyncio.gather(task, return_exceptions=True)


async def test_the_prompt_of_a_resting_cursor_is_read_and_nothing_is_written() -> None:
    engine = ScriptedEngine(["area(1, 2)"])
    rooms = TestRooms(engine)
    await engine.start()
    rooms.ahead.look(hole_of(HERE))
    await _read(rooms)
    await rooms.completer.complete(hole_of(HERE), manual=False)
    ahead, asked = engine.requests
    assert ahead.max_tokens == 0
    assert ahead.prompt == asked.prompt
    assert ahead.priority > asked.priority
    assert ahead.key != asked.key  # or it would end the completion that overtakes it


async def test_the_same_place_is_read_once() -> None:
    engine = ScriptedEngine([""])
    rooms = TestRooms(engine)
    await engine.start()
    hole = hole_of(HERE)
    rooms.ahead.look(hole)
    await _read(rooms)
    rooms.ahead.look(hole)
    await _read(rooms)
    assert len(engine.requests) == 1
    rooms.ahead.again()
    await _read(rooms)
    assert len(engine.requests) == 2


async def test_a_place_that_is_passed_is_not_read() -> None:
    engine = ScriptedEngine([""])
    rooms = TestRooms(engine)
    await engine.start()
    rooms.ahead.look(hole_of(HERE))
    rooms.ahead.look(hole_of(THERE))
    await _read(rooms)
    (request,) = engine.requests
    assert "print()" in "".join(part.text for part in request.prompt)


async def test_a_key_makes_it_stop() -> None:
    engine = ScriptedEngine([""])
    engine.hold()
    rooms = TestRooms(engine)
    await engine.start()
    rooms.ahead.look(hole_of(HERE))
    await engine.arrived.wait()
    rooms.ahead.stop()
    await _read(rooms)
    assert engine.stopped == [None]
    rooms.ahead.again()  # a trunk that was read meanwhile brings nothing back
    await _read(rooms)
    assert len(engine.requests) == 1


async def test_no_model_is_started_for_it() -> None:
    engine = ScriptedEngine([""])
    rooms = TestRooms(engine)
    rooms.ahead.look(hole_of(HERE))
    await _read(rooms)
    assert engine.requests == []
    assert (await engine.status()).model is None


async def test_switched_off_means_that_nothing_is_read() -> None:
    for off in (CompletionSettings(enabled=False), CompletionSettings(languages={"python": False})):
        engine = ScriptedEngine([""])
        rooms = TestRooms(engine, settings=off)
        await engine.start()
        rooms.ahead.look(hole_of(HERE))
        assert rooms.ahead._task is None
        assert engine.requests == []


async def test_a_user_rests_a_second_after_the_last_key_and_is_read_for_where_they_stopped() -> None:
    engine = ScriptedEngine([""])
    rooms = TestRooms(engine)
    await engine.start()
    now_s = 0.0
    rooms.ahead.now = lambda: now_s
    assert rooms.context.is_resting()
    rooms.ahead.stop()
    rooms.ahead.stay(hole_of(THERE))
    assert engine.requests == []
    now_s = 0.9
    assert not rooms.context.is_resting()
    now_s = 1.0
    assert rooms.context.is_resting()
    rooms.ahead.again()
    await _read(rooms)
    (request,) = engine.requests
    assert "print()" in "".join(part.text for part in request.prompt)
