"""``initialize``, ``initialized`` and ``shutdown``, and what changes in between: settings and folders."""

from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.server.configuration import Configuration, section
from spark_lsp.server.session import Handshake, Session
from spark_lsp.server.watched_files import WatchedFolders


def register(server: LanguageServer, session: Session) -> None:
    """Register the methods."""
    configuration = Configuration(session)
    watching = WatchedFolders(session)

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        folders = [folder.uri for folder in params.workspace_folders or ()]
        root = [params.root_uri] if params.root_uri else []
        session.initialize(
            Handshake(
                folders=tuple(folders or root),
                encoding=server.workspace.position_encoding or types.PositionEncodingKind.Utf16,
                options=section(params.initialization_options),
                process_id=params.process_id,
            )
        )

    @server.feature(types.INITIALIZED)
    async def initialized(_params: types.InitializedParams) -> None:
        await configuration.read()
        await watching.follow()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
        await configuration.read(params.settings)

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def did_change_workspace_folders(params: types.DidChangeWorkspaceFoldersParams) -> None:
        change_folders(session, params.event)
        await configuration.read()
        await watching.follow()

    @server.feature(types.SHUTDOWN)
    def shutdown(_params: Any) -> None:
        session.close()


def change_folders(session: Session, event: types.WorkspaceFoldersChangeEvent) -> None:
    """Add and remove folders at once; those that are gone are closed in the background."""
    gone = session.folders.follow([folder.uri for folder in event.added], [folder.uri for folder in event.removed])
    for folder in gone:
        folder.stop()
        session.tasks.spawn(folder.close(), "close a folder")
    session.tell_status()
