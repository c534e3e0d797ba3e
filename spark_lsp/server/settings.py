"""Settings from the editor, its initialization options, the workspace's file and the environment."""

import asyncio
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types

from spark_lsp.config import Settings, Source, environment_source, resolve
from spark_lsp.server.client import Client

PULL_TIMEOUT_S = 5.0  # for a client that says it can be asked and then does not answer
WORKSPACE_FILE = ".spark-lsp.toml"


def read_settings(
    root: Path | None, editor: Mapping[str, Any], initialization: Mapping[str, Any]
) -> tuple[Settings, list[str]]:
    """Merge all sources; return the settings and a message for each value that could not be used."""
    sources = [Source("the editor's settings", editor), Source("initializationOptions", initialization)]
    messages: list[str] = []
    if root is not None and (root / WORKSPACE_FILE).is_file():
        try:
            values = tomllib.loads((root / WORKSPACE_FILE).read_text("utf-8"))
            sources.append(Source(WORKSPACE_FILE, values, trusted=False))
        except (OSError, ValueError) as error:
            messages.append(f"{WORKSPACE_FILE} is ignored: {error}.")
    settings, refused = resolve([*sources, environment_source(os.environ)])
    return settings, messages + refused


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
