"""Reads the settings as often as the editor says that they have changed, and opens each folder with its own.

Asks the editor where it can be asked, for all folders at once; else what it pushed counts.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types

from spark_lsp.server.client import Client
from spark_lsp.server.session import Session
from spark_lsp.server.settings import read_settings

PULL_TIMEOUT_S = 5.0  # for a client that says it can be asked and then does not answer


class Configuration:
    """The settings of a window's folders. What came last counts, whatever takes longer to read."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reading = asyncio.Lock()
        self._pushed: Any = {}

    async def read(self, pushed: Any = None) -> None:
        """Read all sources again and open the folders with their settings.

        ``pushed`` is what the editor sent; without it what it sent last counts, as for a folder that was added.
        """
        async with self._reading:
            self._pushed = self._pushed if pushed is None else pushed
            await self._read()

    async def _read(self) -> None:
        session, folders = self._session, self._session.folders.all()
        pulled = await pull(session.client, [folder.root for folder in folders])
        for folder, own in zip(folders, pulled, strict=True):
            editor = own if own is not None else section(self._pushed)
            settings, messages = await asyncio.to_thread(read_settings, folder.root, editor, session.handshake.options)
            where = f" ({folder.name})" if len(folders) > 1 else ""
            for message in messages:
                session.client.show(f"Spark{where}: {message}")
            await folder.configure(settings)


async def pull(client: Client, roots: Sequence[Path | None]) -> list[Mapping[str, Any] | None]:
    """Ask the editor for the section ``spark`` of each folder; None where it cannot be asked or holds nothing."""
    nothing: list[Mapping[str, Any] | None] = [None] * len(roots)
    workspace = client.capabilities.workspace
    if not (workspace and workspace.configuration):
        return nothing
    items = [types.ConfigurationItem(scope_uri=root.as_uri() if root else None, section="spark") for root in roots]
    try:
        async with asyncio.timeout(PULL_TIMEOUT_S):
            answer = await client.request(types.WORKSPACE_CONFIGURATION, types.ConfigurationParams(items=items))
    except TimeoutError:
        return nothing
    values = list(answer) if isinstance(answer, Sequence) and len(answer) == len(roots) else nothing
    return [value if isinstance(value, Mapping) else None for value in values]


def section(values: Any) -> Mapping[str, Any]:
    """Return the ``spark`` section of a client's object, which may or may not be wrapped in it."""
    if not isinstance(values, Mapping):
        return {}
    inner = values.get("spark")
    return inner if isinstance(inner, Mapping) else {} if "spark" in values else values
