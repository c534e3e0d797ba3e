"""One request from the command line: the same rooms as the server's, opened, indexed and closed again."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from rich.console import Console

from spark_lsp.app import open_engine, open_rooms
from spark_lsp.cli.place import Place
from spark_lsp.config import Settings, environment_source, resolve
from spark_lsp.server.rooms import Rooms

errors = Console(stderr=True)


def settings_of(model: str, context_tokens: int | None, max_lines: int | None) -> tuple[Settings, Settings]:
    """Return the user's settings from the environment, and the same with the request's own limits."""
    base, messages = resolve([environment_source(os.environ)])
    for message in messages:
        sys.stderr.write(f"spark-lsp: {message}\n")
    if model:
        base = msgspec.structs.replace(base, model=model)
    context, completion = base.context, base.completion
    if context_tokens is not None:
        context = msgspec.structs.replace(context, max_tokens=context_tokens)
    if max_lines is not None:
        completion = msgspec.structs.replace(completion, max_lines=max_lines)
    return base, msgspec.structs.replace(base, context=context, completion=completion)


@asynccontextmanager
async def rooms_for(root: Path, base: Settings, tuned: Settings, place: Place | None) -> AsyncIterator[Rooms]:
    """Open the workspace, bring its index up to date, start the engine and choose the trunk.

    The engine is the one that an editor with the same settings uses; ``tuned`` limits only this request.
    """
    rooms = open_rooms(root, tuned, engine=open_engine(base))
    try:
        if rooms.problem:
            raise rooms.problem
        with errors.status("Indexing …"):
            await rooms.refresh_index(lambda _done, _of: None)
        if place is not None and place.snapshot.path and place.snapshot.path.is_relative_to(root):
            await rooms.update_index(place.snapshot.path.relative_to(root).as_posix(), place.snapshot.text)
        with errors.status("Starting the engine …"):
            model = await rooms.engine.start()
        for note in model.notes:
            errors.print(note, style="yellow")
        if place is not None and model.family:
            status = await rooms.engine.status()
            rooms.context.learn_rate(status.prefill_tokens_per_s)
            await rooms.context.rebuild([rooms.context.path_of(place.snapshot)])
            rooms.context.assume_resident()
        yield rooms
    finally:
        await rooms.close()
        if rooms.index is not None:
            rooms.index.close()
