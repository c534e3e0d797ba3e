"""Start a language server as an editor does, and measure its start, its memory, and its answers meanwhile."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil

from spark_lsp.bench.asking import percentile

ASK_EVERY_S = 0.02
LIMIT_S = 1200.0
QUIET_S = 1.0


def measure_window(root: Path, place: Path) -> dict[str, Any]:
    """Start the server twice on a folder, first without and then with an index of it."""
    first = asyncio.run(_measured(root, place))
    warm = asyncio.run(_measured(root, place))
    return {"first": first, "warm": warm}


async def _measured(root: Path, place: Path) -> dict[str, Any]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(place / "cache"), "LOCALAPPDATA": str(place / "cache")}
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "spark_lsp", "serve"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        limit=1 << 24,
    )
    client = _MinimalClient(server)
    reading = asyncio.create_task(client.read())
    try:
        async with asyncio.timeout(LIMIT_S):
            return await _watched(client, root)
    finally:
        reading.cancel()
        server.kill()
        await server.wait()


async def _watched(client: "_MinimalClient", root: Path) -> dict[str, Any]:
    options = {"completion": {"enabled": False}}  # no model: the index alone is measured
    await client.request(
        "initialize",
        {"processId": None, "rootUri": root.as_uri(), "capabilities": {}, "initializationOptions": options},
    )
    started = time.perf_counter()
    client.notify("initialized", {})
    process = psutil.Process(client.pid)
    waits: list[float] = []
    peak = 0
    while not client.indexed:
        asked = time.perf_counter()
        await client.request("spark/log", None)
        waits.append(1000 * (time.perf_counter() - asked))
        peak = max(peak, process.memory_info().rss)
        await asyncio.sleep(ASK_EVERY_S)
    seconds = time.perf_counter() - started
    await asyncio.sleep(QUIET_S)
    memory = process.memory_info().rss
    return {
        "seconds": round(seconds, 2),
        "files": client.files,
        "memory_bytes": memory,
        "peak_memory_bytes": max(peak, memory),
        "answer_p50_ms": round(percentile(waits, 0.5), 2),
        "answer_p95_ms": round(percentile(waits, 0.95), 2),
        "answer_max_ms": round(max(waits, default=0.0), 2),
    }


class _MinimalClient:
    """The least that a server takes for an editor."""

    def __init__(self, server: asyncio.subprocess.Process) -> None:
        assert server.stdin
        assert server.stdout
        self.pid = server.pid
        self.indexed = False
        self.files = 0
        self._write, self._read = server.stdin, server.stdout
        self._numbers = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._began = False

    def notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, params: Any) -> Awaitable[Any]:
        self._numbers += 1
        future = asyncio.get_running_loop().create_future()
        self._waiting[self._numbers] = future
        self._send({"id": self._numbers, "method": method, "params": params})
        return future

    def _send(self, message: dict[str, Any]) -> None:
        raw = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._write.write(b"Content-Length: %d\r\n\r\n" % len(raw) + raw)

    async def read(self) -> None:
        """Take messages in until the server ends."""
        while line := await self._read.readline():
            size = int(line.partition(b":")[2])
            while (await self._read.readline()).strip():
                pass
            self._take(json.loads(await self._read.readexactly(size)))

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            future = self._waiting.pop(message["id"], None)
            if future and not future.done():
                future.set_result(message.get("result"))
            return
        answers: dict[str, Callable[[], Any]] = {"workspace/configuration": lambda: [None]}
        if "id" in message:
            self._send({"id": message["id"], "result": answers.get(method, lambda: None)()})
        if method == "spark/status":
            self._notice(message["params"])

    def _notice(self, status: dict[str, Any]) -> None:
        """The index is through when there was something to do and all of it is done and nothing is busy."""
        done, of = status["indexed"]["files"], status["indexed"]["of"]
        self._began = self._began or bool(status["busy"])
        if self._began and not status["busy"] and done == of and of:
            self.indexed, self.files = True, done
