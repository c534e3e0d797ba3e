"""The engine survives any input on its socket; shortened, ``make torture`` has the long form."""

import asyncio

import psutil
import pytest

from scripts.torture.fuzz_socket import attack, hold
from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.local.address import endpoint_of
from tests.engine.conftest import shipped
from tests.engine.test_contract import collect, prompt
from tests.engine.test_local import started
from tests.support.marks import posix_only

pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.usefixtures("runtime"), posix_only]

MAX_GROWTH_BYTES = 200_000_000


async def test_any_bytes_leave_the_engine_at_work() -> None:
    engine = await started(shipped())
    address, pid = endpoint_of(shipped()).address, (await engine.status()).pid
    before = psutil.Process(pid).memory_info().rss
    assert await attack(address, 150, seed=1) == 150
    strangers = await hold(address, 200)
    answer = await collect(engine, CompletionRequest(prompt(), 4))
    assert answer[-1].stop is not None
    assert (await engine.status()).pid == pid
    assert psutil.Process(pid).memory_info().rss - before < MAX_GROWTH_BYTES
    for writer in strangers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in strangers), return_exceptions=True)
    await engine.close()
