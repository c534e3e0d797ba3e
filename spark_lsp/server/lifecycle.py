"""``initialize``, ``initialized``, ``workspace/didChangeConfiguration`` and ``shutdown``: a session begins and ends."""

from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.server.configuration import Configuration, section
from spark_lsp.server.convert import path_of
from spark_lsp.server.session import Handshake, Session
from spark_lsp.server.watched_files import watch_files


def register(server: LanguageServer, session: Session) -> None:
    """Register the methods."""
    configuration = Configuration(session)

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        folder = params.workspace_folders[0].uri if params.workspace_folders else params.root_uri
        session.initialize(
            Handshake(
                root=path_of(folder) if folder else None,
                encoding=server.workspace.position_encoding or types.PositionEncodingKind.Utf16,
                options=section(params.initialization_options),
                process_id=params.process_id,
            )
        )

    @server.feature(types.INITIALIZED)
    async def initialized(_params: types.InitializedParams) -> None:
        await configuration.read({})
        await watch_files(session)

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
        await configuration.read(params.settings)

    @server.feature(types.SHUTDOWN)
    def shutdown(_params: Any) -> None:
        session.close()
