"""One request from the command line: the same rooms as the server's, opened, indexed and closed again."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from rich.console import Console

from spark_lsp.app import open_engine, open_rooms
from spark_lsp.cli.place import Place
from spark_lsp.config import Settings
from spark_lsp.server.rooms import Rooms
from spark_lsp.server.settings import read_settings

errors = Console(stderr=True)


def settings_of(root: Path | None, model: str, max_lines: int | None = None) -> Settings:
    """Return the settings of the workspace's file and the environment, with the request's own model and lines."""
    base, messages = read_settings(root, {}, {})
    for message in messages:
        sys.stderr.write(f"spark-lsp: {message}\n")
    if model:
        base = msgspec.structs.replace(base, model=model)
    if max_lines is not None:
        base = msgspec.structs.replace(base, completion=msgspec.structs.replace(base.completion, max_lines=max_lines))
    return base


@asynccontextmanager
async def rooms_for(
    root: Path, settings: Settings, place: Place | None, *, prompt_tokens: int | None = None, is_report: bool = False
) -> AsyncIterator[Rooms]:
    """Open the workspace, bring its index up to date, start the engine and choose the trunk.

    The engine is the one that an editor with the same settings uses, unless the user named a size of ``prompt_tokens``
    that it does not hold. A report only shows a prompt, which may then be longer than any engine holds.
    """
    named_tokens = 0 if is_report else prompt_tokens or 0
    rooms = open_rooms(root, settings, engine=open_engine(settings, root, named_tokens=named_tokens))
    rooms.context.fixed_tokens = prompt_tokens
    rooms.context.is_report = is_report
    try:
        if rooms.problem:
            raise rooms.problem
        with errors.status("Indexing …"):
            await rooms.refresh_index(lambda _done, _of: None)
            await rooms.history_read()
        if place is not None and place.snapshot.path and place.snapshot.path.is_relative_to(root):
            await rooms.update_index(place.snapshot.path.relative_to(root).as_posix(), place.snapshot.text)
        with errors.status("Starting the engine …"):
            model = await rooms.engine.start()
        if place is not None and model.family:
            await rooms.context.rebuild([rooms.context.path_of(place.snapshot)])
            rooms.context.assume_resident()
        yield rooms
    finally:
        await rooms.close()
        if rooms.index is not None:
            rooms.index.close()
