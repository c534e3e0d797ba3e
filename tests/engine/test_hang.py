"""A hung process is killed and another one answers; a slow process is left alone."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.local.address import endpoint_of
from spark_lsp.engine.local.liveness import HangTimeout
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine, stop_engines
from spark_lsp.engine.local.process import end
from spark_lsp.engine.wire import frames
from spark_lsp.errors import EngineFailed
from tests.engine import hung_host
from tests.engine.conftest import shipped
from tests.engine.test_contract import ENDLESS, PATIENCE_S, collect, prompt
from tests.engine.test_local import connect_briefly, gone, log_of, pid_of
from tests.support.marks import posix_only

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("runtime")]

BRIEF = HangTimeout(poll_s=0.1, min_s=1.5, times=1.0, loading_s=6.0)


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    local_engine = LocalEngine(shipped(), BRIEF)
    async with asyncio.timeout(PATIENCE_S):
        yield local_engine
        await local_engine.close()


@contextmanager
def hanging_host(launch: EngineLaunch) -> Iterator[int]:
    """Run a host that hangs at one request; the process ends with the test at the latest."""
    order = frames.HostOrder(launch=launch, endpoint=endpoint_of(launch))
    command = [sys.executable, "-m", hung_host.__name__, msgspec.json.encode(order).decode()]
    with Path(order.endpoint.log).open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process.pid
        finally:
            process.kill()


async def listening(launch: EngineLaunch) -> None:
    while await connect_briefly(launch) is None:
        pass


@posix_only
async def test_a_stopped_process_is_killed_and_another_one_answers(engine: LocalEngine) -> None:
    await engine.start()
    pid = await pid_of(engine)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineFailed, match="no longer responds"):
        await collect(engine, CompletionRequest(prompt(), 4))
    await engine.start()
    await gone(pid)
    assert await pid_of(engine) != pid
    assert (await collect(engine, CompletionRequest(prompt(), 4)))[-1].stop is not None


@posix_only
async def test_a_stopped_process_that_is_found_is_killed_too() -> None:
    first, second = LocalEngine(shipped()), LocalEngine(shipped(), replace(BRIEF, loading_s=3.0))
    await first.start()
    pid = await pid_of(first)
    os.kill(pid, signal.SIGSTOP)
    async with asyncio.timeout(PATIENCE_S):
        await second.start()
    await gone(pid)
    assert await pid_of(second) not in {0, pid}
    await first.close()
    await second.close()


async def test_a_model_that_hangs_is_killed_with_its_process(engine: LocalEngine) -> None:
    with hanging_host(shipped()) as pid:
        await listening(shipped())
        await engine.start()
        assert await pid_of(engine) == pid
        assert (await collect(engine, CompletionRequest(prompt(), 4)))[-1].stop is not None
        fatal = CompletionRequest(prompt("import fatal\n"), 4, key=hung_host.KEY)
        answer = asyncio.create_task(collect(engine, fatal))
        while hung_host.TOLD not in log_of(shipped()):
            assert await engine.count_tokens(["def"]) == [1]
        assert await engine.count_tokens(["def"]) == [1]  # the process itself is well
        with pytest.raises(EngineFailed, match="no longer responds"):
            await answer
        await engine.start()
        await gone(pid)
        assert (await collect(engine, fatal))[-1].stop is not None


async def test_a_model_that_hangs_does_not_keep_its_process() -> None:
    with hanging_host(shipped()) as pid:
        await listening(shipped())
        engine = LocalEngine(shipped())
        await engine.start()
        answer = asyncio.create_task(collect(engine, CompletionRequest(prompt(), 4, key=hung_host.KEY)))
        async with asyncio.timeout(PATIENCE_S):
            while hung_host.TOLD not in log_of(shipped()):
                await engine.status()
            assert await stop_engines() == [pid]
        with pytest.raises(EngineFailed):
            await answer
        await engine.close()
        await gone(pid)
    assert "hangs; the process leaves without it" in log_of(shipped())


@posix_only
async def test_a_stopped_process_can_be_ended_by_its_user(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spark_lsp.engine.local.process._STOP_S", 0.5)
    await engine.start()
    pid = await pid_of(engine)
    os.kill(pid, signal.SIGSTOP)
    assert await stop_engines() == [pid]
    await gone(pid)


@posix_only
async def test_three_hangs_are_enough_and_the_last_process_is_killed_as_well(engine: LocalEngine) -> None:
    await engine.start()
    for death in range(3):
        pid = await pid_of(engine)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(EngineFailed, match="no longer responds"):
            await collect(engine, CompletionRequest(prompt(f"death = {death}\n"), 4))
        with suppress(EngineFailed):
            await engine.start()
        await gone(pid)
    with pytest.raises(EngineFailed, match="three times"):
        await engine.start()


async def test_only_the_process_with_that_order_is_ended(engine: LocalEngine) -> None:
    await engine.start()
    pid = await pid_of(engine)
    other_endpoint = endpoint_of(shipped(context_tokens=2048))
    assert await asyncio.to_thread(end, other_endpoint, pid) == []
    assert await asyncio.to_thread(end, other_endpoint) == []
    assert await pid_of(engine) == pid
    assert await asyncio.to_thread(end, endpoint_of(shipped())) == [pid]
    await gone(pid)


async def test_long_answers_and_waiting_behind_them_are_no_hang() -> None:
    hasty = HangTimeout(poll_s=0.01, min_s=1.0, times=10.0, loading_s=20.0)
    engine = LocalEngine(shipped(), hasty)
    await engine.start()
    streams = [
        collect(engine, CompletionRequest(prompt(), 500, sampling=ENDLESS, key=str(number))) for number in range(2)
    ]
    async with asyncio.timeout(PATIENCE_S):
        answers = await asyncio.gather(*streams)
    assert [chunks[-1].stop for chunks in answers] == ["max_tokens"] * 2
    await engine.close()


async def test_an_idle_engine_is_left_alone(engine: LocalEngine) -> None:
    await engine.start()
    link = engine._link
    assert link is not None
    assert link._poll is not None  # somebody waited for the welcome just now
    link._poll.cancel()
    link._poll_liveness()
    assert link._poll is None
    assert (await collect(engine, CompletionRequest(prompt(), 1)))[-1].stop is not None
    assert link._poll is not None
