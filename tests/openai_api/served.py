"""The endpoint on a real socket of the test's own event loop, over a scripted engine, and a client for it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import uvicorn

from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.openai_api.service import Limits, ServedModel, Service
from tests.actions.chat.talk import talking

TOKEN = "a-token-of-the-test"
LINE = "data: "


@dataclass
class Served:
    """A running endpoint and the engine behind it."""

    url: str
    engine: ScriptedEngine
    client: httpx2.AsyncClient

    async def post(self, path: str, **body: Any) -> tuple[int, Any]:
        """Return the status and the document of an answer."""
        answer = await self.client.post(path, json=body)
        return answer.status_code, answer.json()

    async def stream(self, path: str, **body: Any) -> list[Any]:
        """Return the events of an answer; "[DONE]" is a text."""
        async with self.client.stream("POST", path, json={**body, "stream": True}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            text = "".join([chunk async for chunk in answer.aiter_text()])
        events = [event.removeprefix(LINE) for event in text.split("\n\n") if event]
        return [event if event == "[DONE]" else json.loads(event) for event in events]


async def until(is_so: Callable[[], bool]) -> None:
    """Let the event loop run until something is so."""
    async with asyncio.timeout(20):
        while True:
            if is_so():
                return
            await asyncio.sleep(0)


@asynccontextmanager
async def served(
    answers: Sequence[str] | Callable[[CompletionRequest], str] = ("one two",),
    *,
    engine: ScriptedEngine | None = None,
    chat: ScriptedEngine | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[Served]:
    """Serve until the block ends."""
    engine = engine or talking(answers)
    completion = ServedModel("coder", engine)
    service = Service(completion, ServedModel("talker", chat) if chat else completion, TOKEN, limits)
    config = uvicorn.Config(
        service.app(), http="h11", ws="none", lifespan="on", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        running = asyncio.create_task(server._serve([listener]))
        headers = {"authorization": f"Bearer {TOKEN}"}
        try:
            async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=20) as client:
                await until(lambda: server.started)
                yield Served(url, engine, client)
        finally:
            server.should_exit = True
            await running
