"""``workspace/didChangeWatchedFiles``: changes on disk, from the client's watcher or, where it has none, our own."""

import asyncio
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.index.watch import Watcher
from spark_lsp.server.convert import path_of
from spark_lsp.server.guard import as_dict
from spark_lsp.server.session import Session
from spark_lsp.server.workspace_folder import WorkspaceFolder

REGISTRATION = "spark-watched-files"


def register(server: LanguageServer, session: Session) -> None:
    """Register the method."""

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_watched_files(params: Any) -> None:
        session.folders.files_changed([path for uri in _uris_in(as_dict(params)) if (path := path_of(uri))])


def _uris_in(params: dict[str, Any]) -> set[str]:
    """Return the documents of a message, each once."""
    changes = params.get("changes")
    uris = (as_dict(change).get("uri") for change in changes) if isinstance(changes, list) else ()
    return {uri for uri in uris if isinstance(uri, str)}


class WatchedFolders:
    """Sees that the folders of a window are watched. Belongs to the server's event loop."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._following = asyncio.Lock()
        self._registered: tuple[Path, ...] = ()
        self._registrations = 0

    async def follow(self) -> None:
        """Watch the folders that there are now: registered with the client, or by a watcher of our own for each."""
        async with self._following:
            workspace = self._session.client.capabilities.workspace
            watched = workspace.did_change_watched_files if workspace else None
            if watched and watched.dynamic_registration:
                await self._register()
                return
            for folder in self._session.folders.all():
                _watch(self._session, folder)

    async def _register(self) -> None:
        """Register again when the folders are others: some clients look up the folders of a pattern only then.

        The registration before ends last, so that no change is missed in between.
        """
        client, before = self._session.client, self._registered
        roots = tuple(folder.root for folder in self._session.folders.all() if folder.root)
        if roots == before:
            return
        method, last = types.WORKSPACE_DID_CHANGE_WATCHED_FILES, f"{REGISTRATION}-{self._registrations}"
        self._registered = roots
        if roots:
            self._registrations += 1
            options = types.DidChangeWatchedFilesRegistrationOptions(
                watchers=[types.FileSystemWatcher(glob_pattern="**/*")]
            )
            registration = types.Registration(f"{REGISTRATION}-{self._registrations}", method, options)
            await client.request(types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams([registration]))
        if before:
            ended = types.Unregistration(last, method)
            await client.request(types.CLIENT_UNREGISTER_CAPABILITY, types.UnregistrationParams([ended]))


def _watch(session: Session, folder: WorkspaceFolder) -> None:
    root, loop = folder.root, asyncio.get_running_loop()
    if root is None or folder.is_watched:
        return

    def changed(paths: set[str]) -> None:
        loop.call_soon_threadsafe(folder.files_changed, [root / path for path in paths])

    def problem(message: str) -> None:
        loop.call_soon_threadsafe(session.client.log, message)

    folder.watch(Watcher(root, changed, problem))
