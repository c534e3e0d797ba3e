"""An endpoint with answers scripted by a test, because a model's choice is no part of an editor test.

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
"""The text written into ``Money.__radd__``."""

_ANSWERS = {"+ entry.am": ["ount"]}
"""Answers by the end of the text before the cursor."""
_KNOWN = {"grand_total(quart": ("quarterly_totals = [", ["erly", "_totals", ")"])}
"""The same for answers that require another text in the prompt."""
_START_S = 30.0


def answer(body: Any) -> list[str]:
    """Return the answer for a request: by the text before the cursor, else a body for ``__radd__``."""
    text = json.dumps(body)
    for end, (needed, words) in _KNOWN.items():
        if body.get("prompt", "").endswith(end):
            return words if needed in text else []
    return next((words for end, words in _ANSWERS.items() if f"{end}<|" in text or text.endswith(end)), BODY)


@contextmanager
def scripted_endpoint() -> Iterator[dict[str, str]]:
    """Answer requests until the block ends; yield the variables that point a server to the endpoint."""
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
