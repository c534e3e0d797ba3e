"""One request from the command line: the same workspace as the server's, opened, indexed and closed again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from spark_lsp.app import open_engine, open_workspace
from spark_lsp.cli.place import FileSpan
from spark_lsp.cli.terminal import console, err
from spark_lsp.config import Settings
from spark_lsp.engine.base import PrefillCost
from spark_lsp.index.scan.places import path_within
from spark_lsp.server.settings import read_settings
from spark_lsp.workspace import Workspace

errors = console(stderr=True)

COLD_PREFILL_MS: Final = 4_000.0
"""How long a user at a terminal waits for the first token of a single request; ``--context-tokens`` allows more."""
MIN_COLD_TOKENS: Final = 1_024
"""Some 300 tokens around the cursor and 700 of other files, however slow the machine is."""


def settings_of(root: Path | None, model: str, max_lines: int | None = None) -> Settings:
    """Return the settings of the workspace's file and the environment, with the request's own model and lines."""
    base, messages = read_settings(root, {}, {})
    for message in messages:
        err(f"spark-lsp: {message}\n")
    if model:
        base = msgspec.structs.replace(base, model=model)
    if max_lines is not None:
        base = msgspec.structs.replace(base, completion=msgspec.structs.replace(base.completion, max_lines=max_lines))
    return base


def cold_tokens(cost: PrefillCost) -> int | None:
    """Return how long a prompt may be of which nothing is cached; None where nothing was measured."""
    return max(MIN_COLD_TOKENS, int(COLD_PREFILL_MS / cost.base_ms)) if cost.base_ms > 0 else None


async def _bound_cold_prompt(workspace: Workspace) -> None:
    """Keep the prompt to what is prefilled within seconds: a single request finds nothing cached."""
    most = cold_tokens((await workspace.engine.status()).prefill_cost)
    await workspace.context.model.learn_cost()
    if most is not None and most < workspace.context.budget().total_tokens:
        workspace.context.model.fix_size(most)


@asynccontextmanager
async def workspace_for(
    root: Path, settings: Settings, place: FileSpan | None, *, prompt_tokens: int | None = None, is_report: bool = False
) -> AsyncIterator[Workspace]:
    """Open the workspace, bring its index up to date, start the engine and choose the cached prefix.

    The engine is the one that an editor with the same settings uses, unless the user named a size of ``prompt_tokens``
    that it does not hold. A report only shows a prompt, which may then be longer than any engine holds.
    """
    named_tokens = 0 if is_report else prompt_tokens or 0
    workspace = open_workspace(root, settings, engine=open_engine(settings, root, named_tokens=named_tokens))
    workspace.context.model.fix_size(prompt_tokens, is_report=is_report)
    try:
        if workspace.problem:
            raise workspace.problem
        with errors.status("Indexing …"):
            await workspace.refresh_index(lambda _done, _of: None)
            await workspace.history_read()
        name = path_within(root, place.snapshot.path) if place is not None else None
        if place is not None and name:
            await workspace.update_index(name, place.snapshot.text)
        with errors.status("Starting the engine …"):
            model = await workspace.engine.start()
        if place is not None and model.family:
            if prompt_tokens is None:
                await _bound_cold_prompt(workspace)
            await workspace.context.prefix.rebuild([workspace.context.path_of(place.snapshot)])
            workspace.context.prefix.assume_resident()
        yield workspace
    finally:
        await workspace.close()
        if workspace.index is not None:
            workspace.index.close()
