"""Pace requests: each waits for a pause in the typing, and only the newest request of a document continues.

A module of its own because it holds state between requests, which ``pacing``'s policy must not.
"""

import asyncio

from spark_lsp.config import CompletionSettings
from spark_lsp.pacing import DebouncePolicy, LatestWins, TypingSpeed


class Pace:
    """How fast the user types, and the newest request of each document. Belongs to one event loop."""

    def __init__(self, settings: CompletionSettings) -> None:
        self._policy = DebouncePolicy(None if settings.debounce == "auto" else float(settings.debounce))
        self._latest = LatestWins()
        self._typing_speed = TypingSpeed()

    def key(self) -> None:
        """Note a key."""
        self._typing_speed.key(asyncio.get_running_loop().time())

    async def wait(self, uri: str, latency_ms: float, *, manual: bool) -> bool:
        """Wait for the typing to pause; whether this request is still the newest of its document."""
        wait_ms = 0.0 if manual else self._policy.wait_ms(latency_ms, self._typing_speed.gap_ms)
        ticket = self._latest.take(uri)
        await asyncio.sleep(wait_ms / 1000)
        return self._latest.is_newest(uri, ticket)

    def forget(self, uri: str) -> None:
        """Drop a document that was closed."""
        self._latest.forget(uri)
