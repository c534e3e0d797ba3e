"""The server ends with the editor's process, also where its pipe stays open; nobody else's end concerns it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from spark_lsp.server.editor_process import EditorProcess
from tests.server.test_bad_messages import _answer_to, _framed, _request


@asynccontextmanager
async def _editor() -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that stands for an editor; it ends with its standard input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import sys; sys.stdin.read()", stdin=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("has_handles", [True, False])
async def test_its_end_is_told_once(monkeypatch, has_handles: bool) -> None:
    if not has_handles:
        monkeypatch.delattr("os.pidfd_open", raising=False)
        monkeypatch.setattr("spark_lsp.server.editor_process.POLL_S", 0.01)
    gone = asyncio.Event()
    async with _editor() as process:
        watch = EditorProcess(process.pid, gone.set)
        assert watch.watch()
        await asyncio.sleep(0)
        assert not gone.is_set()
        process.stdin.close()
        async with asyncio.timeout(20):
            await gone.wait()
        watch.close()


async def test_a_process_that_is_not_there_is_not_watched() -> None:
    async with _editor() as process:
        process.kill()
        await process.wait()
        assert not EditorProcess(process.pid, lambda: None).watch()
    assert not EditorProcess(0, lambda: None).watch()
    assert not EditorProcess(-1, lambda: None).watch()


@pytest.mark.slow
async def test_the_server_ends_although_its_pipe_stays_open() -> None:
    async with _editor() as process:
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.server.scripted_server"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            start = {"processId": process.pid, "rootUri": None, "capabilities": {}}
            server.stdin.write(_framed(_request(1, "initialize", start)))
            await _answer_to(server.stdout, 1)
            process.kill()
            async with asyncio.timeout(30):
                assert await server.wait() == 1
        finally:
            if server.returncode is None:
                server.kill()
                await server.wait()
