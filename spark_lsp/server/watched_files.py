"""``workspace/didChangeWatchedFiles``: changes on disk, from the client's watcher or, where it has none, our own."""

import asyncio

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.index.watch import Watcher
from spark_lsp.server.convert import path_of
from spark_lsp.server.session import Session


def register(server: LanguageServer, session: Session) -> None:
    """Register the method."""

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_watched_files(params: types.DidChangeWatchedFilesParams) -> None:
        session.folder.files_changed([path for change in params.changes if (path := path_of(change.uri))])


async def watch_files(session: Session) -> None:
    """Register for watched files, or start a watcher of our own."""
    root = session.folder.root
    if root is None:
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

    def changed(paths: set[str]) -> None:
        loop.call_soon_threadsafe(session.folder.files_changed, [root / path for path in paths])

    def problem(message: str) -> None:
        loop.call_soon_threadsafe(session.client.log, message)

    session.watch(Watcher(root, changed, problem))
