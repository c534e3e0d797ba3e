"""Reads the settings of a window as often as the editor says that they have changed, and opens the workspace with them.

Asks the editor where it can be asked; else what it pushed counts.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from lsprotocol import types

from spark_lsp.server.client import Client
from spark_lsp.server.session import Session
from spark_lsp.server.settings import read_settings

PULL_TIMEOUT_S = 5.0  # for a client that says it can be asked and then does not answer


class Configuration:
    """One window's settings. What came last counts, whatever takes longer to read."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reading = asyncio.Lock()

    async def read(self, pushed: Any) -> None:
        """Read all sources again and open the workspace with the settings; ``pushed`` is what the editor sent."""
        async with self._reading:
            await self._read(pushed)

    async def _read(self, pushed: Any) -> None:
        session = self._session
        pulled = await pull(session.client)
        editor = pulled if pulled is not None else section(pushed)
        settings, messages = await asyncio.to_thread(
            read_settings, session.folder.root, editor, session.handshake.options
        )
        for message in messages:
            session.client.show(f"Spark: {message}")
        await session.folder.configure(settings)


async def pull(client: Client) -> Mapping[str, Any] | None:
    """Ask the editor for the section ``spark``; None when it cannot be asked or holds nothing."""
    workspace = client.capabilities.workspace
    if not (workspace and workspace.configuration):
        return None
    item = types.ConfigurationItem(section="spark")
    try:
        async with asyncio.timeout(PULL_TIMEOUT_S):
            answer = await client.request(types.WORKSPACE_CONFIGURATION, types.ConfigurationParams(items=[item]))
    except TimeoutError:
        return None
    first = answer[0] if isinstance(answer, Sequence) and answer else None
    return first if isinstance(first, Mapping) else None


def section(values: Any) -> Mapping[str, Any]:
    """Return the ``spark`` section of a client's object, which may or may not be wrapped in it."""
    if not isinstance(values, Mapping):
        return {}
    inner = values.get("spark")
    return inner if isinstance(inner, Mapping) else {} if "spark" in values else values
