"""Clients that share an engine: a killed one costs the others nothing, and freed memory is really free."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import gguf
import msgspec
import psutil
import pytest

from spark_lsp.engine.base import (
    BACKGROUND_PRIORITY,
    Chunk,
    CompletionRequest,
    EngineStatus,
    PromptPart,
    SpecialToken,
    TextPart,
    Usage,
)
from spark_lsp.engine.local.local_engine import EngineLaunch, LocalEngine
from spark_lsp.errors import EngineFailed
from spark_lsp.llama.loading.fit import cells_for
from tests.engine import killed_client
from tests.engine.conftest import shipped
from tests.engine.test_contract import ENDLESS, PATIENCE_S, collect, text_of
from tests.engine.test_local import gone, pid_of, started
from tests.llama.gguf_files import SHIPPED
from tests.llama.walk import wide
from tests.support.marks import posix_only

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("runtime")]


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of 32 bits, so that an answer does not depend on what was read before in which batches."""
    return wide(tmp_path_factory.mktemp("models") / "wide.gguf")


def cached_prefix(name: str) -> tuple[PromptPart, ...]:
    """A client's own cached prefix, some 300 tokens."""
    text = "".join(f"def {name}_{line}(a, b):\n    return a + {line}\n" for line in range(20))
    head = (SpecialToken("<|repo_name|>"), TextPart(f"{name}\n", stable=True), SpecialToken("<|file_sep|>"))
    return (*head, TextPart(f"{name}.py\n{text}", stable=True))


def fim_prompt(text: str) -> tuple[PromptPart, ...]:
    return (
        SpecialToken("<|fim_prefix|>"),
        SpecialToken("<|fim_suffix|>"),
        SpecialToken("<|fim_middle|>"),
        TextPart(text),
    )


def usage_of(chunks: list[Chunk]) -> Usage:
    usage = chunks[-1].usage
    assert usage is not None
    return usage


async def read(engine: LocalEngine, name: str) -> int:
    """Make a client's cached prefix resident and return its tokens."""
    return usage_of(
        await collect(engine, CompletionRequest(cached_prefix(name), 0, priority=BACKGROUND_PRIORITY))
    ).prompt_tokens


async def settled(engine: LocalEngine, clients: int) -> EngineStatus:
    """Wait until so many clients are left and nothing is being answered."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status = await engine.status()
            if status.clients == clients and not status.busy:
                return status


@asynccontextmanager
async def killed(launch: EngineLaunch) -> AsyncIterator[asyncio.subprocess.Process]:
    """A client process that is being answered; gone at the end in any case."""
    command = [sys.executable, "-m", killed_client.__name__, msgspec.json.encode(launch).decode()]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            assert (await process.stdout.readline()).strip() == killed_client.BEGUN
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@posix_only
@pytest.mark.parametrize("is_held", [False, True], ids=["running", "held"])
async def test_a_killed_client_takes_nothing_of_the_others_with_it(wide_model: Path, is_held: bool) -> None:
    launch = shipped(model_path=str(wide_model))
    engine = await started(launch)
    tokens = await read(engine, "mine")
    request = CompletionRequest(cached_prefix("mine") + fim_prompt("value = "), 40)
    alone = text_of(await collect(engine, request))
    async with killed(launch) as client:
        stream = engine.generate(request)
        chunks = [await anext(stream)]
        if is_held:  # it does not read any more, and then it dies
            client.send_signal(signal.SIGSTOP)
        client.kill()
        chunks += [chunk async for chunk in stream]
    assert text_of(chunks) == alone
    assert usage_of(chunks).cached_tokens >= tokens
    await settled(engine, clients=1)
    again = await collect(engine, CompletionRequest(cached_prefix("mine") + fim_prompt("other = "), 4))
    assert usage_of(again).cached_tokens >= tokens
    left = await collect(engine, CompletionRequest(killed_client.CACHED_PREFIX, 0, priority=BACKGROUND_PRIORITY))
    assert usage_of(left).prefill_tokens == 0, "its cached prefix stays too, for when its window comes back"
    await engine.close()


@posix_only
async def test_a_killed_engine_answers_all_its_clients_again_and_reads_nothing_twice(tmp_path: Path) -> None:
    launch = shipped(cache_folder=str(tmp_path / "kv"), cache_bytes=1 << 30)
    names = ("one", "two")
    engines = [await started(launch) for _ in names]
    tokens = [await read(engine, name) for engine, name in zip(engines, names, strict=True)]
    await engines[0].unload()  # which saves what is resident
    pid = await pid_of(engines[1])
    endless = [CompletionRequest(cached_prefix(name) + fim_prompt("x"), 3000, sampling=ENDLESS) for name in names]
    await engines[0].start()
    streams = [engine.generate(request) for engine, request in zip(engines, endless, strict=True)]
    first = await anext(streams[0])
    assert first.stop is None
    waiting = asyncio.create_task(anext(streams[1]))  # behind the other one
    await asyncio.sleep(0)  # it is sent
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineFailed, match="ended unexpectedly"):
        async for _ in streams[0]:
            pass
    with pytest.raises(EngineFailed, match="ended unexpectedly"):
        await waiting
    await gone(pid)
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(engine.start() for engine in engines))
    assert len({await pid_of(engine) for engine in engines}) == 1
    for engine, name, count in zip(engines, names, tokens, strict=True):
        usage = usage_of(await collect(engine, CompletionRequest(cached_prefix(name) + fim_prompt("x"), 4)))
        assert usage.restored_tokens >= count - 1
        assert usage.prefill_tokens <= 8
    for engine in engines:
        await engine.close()


@pytest.mark.parametrize("context_tokens", [4096, 32_768])
async def test_unloading_gives_back_weights_and_context_every_time(context_tokens: int) -> None:
    launch = shipped(context_tokens=context_tokens, is_named_size=True, idle_minutes=0.0)
    engine, other_engine = await started(launch), await started(launch)
    assert engine.model is not None
    weights = sum(int(tensor.n_bytes) for tensor in gguf.GGUFReader(SHIPPED).tensors)
    context = cells_for(engine.model.context_tokens) * engine.model.kv_bytes_per_token
    for _ in range(3):  # the C library keeps for itself what is freed a second time
        assert usage_of(
            await collect(other_engine, CompletionRequest(cached_prefix("mine") + fim_prompt("x"), 2))
        ).generated_tokens, "loaded by itself"
        before = await settled(engine, clients=2)
        assert before.model is not None
        await engine.unload()
        after = await engine.status()
        assert after.model is None
        assert after.resident_tokens == 0
        assert before.ram_bytes - after.ram_bytes >= weights + context
        await engine.start()
    pid = await pid_of(other_engine)
    await engine.close()
    await other_engine.close()
    await gone(pid)
    children = psutil.Process().children(recursive=True)
    assert not [child for child in children if child.status() != psutil.STATUS_ZOMBIE], "nothing is left running"
