"""Watches files for changes on disk, with the client's watcher where it has one, else with our own."""

import asyncio
from pathlib import Path

from lsprotocol import types

from spark_lsp.index.watch import Watcher
from spark_lsp.server.session import Session


async def watch_files(session: Session) -> None:
    """Register for watched files, or start a watcher of our own."""
    if session.root is None:
        return
    workspace = session.client.capabilities.workspace
    watched = workspace.did_change_watched_files if workspace else None
    if watched and watched.dynamic_registration:
        options = types.DidChangeWatchedFilesRegistrationOptions(
            watchers=[types.FileSystemWatcher(glob_pattern="**/*")]
        )
        registration = types.Registration(
            id="spark-watched-files", method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES, register_options=options
        )
        await session.client.request(
            types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams(registrations=[registration])
        )
        return
    loop = asyncio.get_running_loop()
    root = session.root

    def changed(paths: set[str]) -> None:
        loop.call_soon_threadsafe(session.files_changed, [root / path for path in paths])

    def problem(message: str) -> None:
        loop.call_soon_threadsafe(session.client.log, message)

    session.watcher = Watcher(Path(root), changed, problem)
    session.watcher.start()
