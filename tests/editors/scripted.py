"""An endpoint whose every answer a test decides, beside the editor: what a model happens to say is no part of the test.

The server reaches it as it reaches any OpenAI-compatible endpoint, through the remote backend.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from tests.engine.endpoint import MODEL, Endpoint, running

BODY = ["return", " self", " +", " other"]
"""What is written into ``Money.__radd__``."""

_ANSWERS = {"+ entry.am": ["ount"]}
"""Words by the end of what stands before the cursor."""
_START_S = 30.0


def answer(body: Any) -> list[str]:
    """Return the words for a request: by what stands before the cursor, else a body for ``__radd__``."""
    text = json.dumps(body)
    return next((words for end, words in _ANSWERS.items() if f"{end}<|" in text or text.endswith(end)), BODY)


@contextmanager
def scripted_endpoint() -> Iterator[dict[str, str]]:
    """Answer requests until the block ends; the value is the variables that point a server to it."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, str]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with running(Endpoint(says=answer)) as endpoint:
            started.set_result((asyncio.get_running_loop(), stop, endpoint.url))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="scripted endpoint")
    thread.start()
    loop, stop, url = started.result(_START_S)
    try:
        yield {"SPARK_LSP_BACKEND_URLS": url, "SPARK_LSP_BACKEND_MODEL": MODEL}
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_START_S)
