"""The engine is killed again and again under requests: each answer ends once and is right as far as it came."""

import asyncio
import os
import signal
from contextlib import aclosing, suppress
from dataclasses import dataclass
from random import Random

import msgspec
import psutil
import pytest

from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.local.address import endpoint_of
from spark_lsp.engine.local.local_engine import LocalEngine
from spark_lsp.engine.wire import frames
from spark_lsp.errors import EngineFailed, EngineStarting, SparkError
from tests.engine.conftest import shipped
from tests.engine.test_contract import PATIENCE_S, prompt
from tests.engine.test_local import gone, pid_of
from tests.support.marks import posix_only
from tests.support.processes import kill

pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.usefixtures("runtime"), posix_only]

ROUNDS = 6
WINDOWS = 3
ANSWER_TOKENS = 40


@dataclass
class Answer:
    """What came of one request."""

    text: str = ""
    ends: int = 0


class Killer:
    """Kills a process when so many chunks have arrived, of whichever request."""

    def __init__(self, pid: int, after_chunks: int) -> None:
        self._pid = pid
        self._left = after_chunks

    def arrived(self) -> None:
        """Count a chunk; the one that is awaited kills."""
        self._left -= 1
        if self._left == 0:
            os.kill(self._pid, signal.SIGKILL)


async def ask(engine: LocalEngine, request: CompletionRequest, killer: Killer | None) -> Answer:
    answer = Answer()
    try:
        async with aclosing(engine.generate(request)) as chunks:
            async for chunk in chunks:
                answer.text += chunk.text
                answer.ends += chunk.stop is not None
                if killer is not None:
                    killer.arrived()
    except (EngineFailed, EngineStarting):
        answer.ends += 1
    return answer


def processes() -> list[int]:
    """Return the processes that were ordered to serve this test's endpoint."""
    endpoint = endpoint_of(shipped())
    serving = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, IndexError, msgspec.DecodeError, UnicodeEncodeError):
            if msgspec.json.decode(process.cmdline()[-1], type=frames.HostOrder).endpoint == endpoint:
                serving.append(process.pid)
    return serving


async def running_again(engine: LocalEngine) -> None:
    """Wait for the process that the client starts by itself."""
    while engine.model is None:
        with suppress(SparkError):
            await engine.start()


@pytest.mark.parametrize("seed", [1, 2])
async def test_an_engine_that_is_killed_at_random_moments(seed: int) -> None:
    random = Random(seed)
    engine = LocalEngine(shipped())
    async with asyncio.timeout(4 * PATIENCE_S):
        await engine.start()
        for number in range(ROUNDS):
            pid = await pid_of(engine)
            prompts = [prompt(f"def area_{number}_{window}(width, height):\n    ") for window in range(WINDOWS)]
            requests = [
                CompletionRequest(parts, ANSWER_TOKENS, key=str(window)) for window, parts in enumerate(prompts)
            ]
            killer = Killer(pid, random.randint(1, 12))
            answers = await asyncio.gather(*(ask(engine, request, killer) for request in requests))
            assert [answer.ends for answer in answers] == [1] * WINDOWS, "each answer ends, and ends once"
            kill(pid)  # the answers may have been too short for this moment
            await gone(pid)
            if number % 2:  # two deaths are forgiven; a third would end the restarts
                await engine.close()
            await running_again(engine)
            whole = [await ask(engine, request, None) for request in requests]
            assert all(full.text.startswith(answer.text) for full, answer in zip(whole, answers, strict=True))
        assert processes() == [await pid_of(engine)]
        pid = await pid_of(engine)
        await engine.restart()
        assert processes() == [await pid_of(engine)] != [pid]
        await engine.close()


async def test_a_start_that_is_cancelled_leaves_its_process_to_the_next_start() -> None:
    engine = LocalEngine(shipped())
    async with asyncio.timeout(PATIENCE_S):
        first_start = asyncio.create_task(engine.start())
        while not (started := processes()):  # noqa: ASYNC110  another program's start has no event
            await asyncio.sleep(0)
        await engine.close()
        with pytest.raises(EngineStarting):
            await first_start
        await engine.start()
        assert started == processes() == [await pid_of(engine)]
        await engine.close()
