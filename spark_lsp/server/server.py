"""Registers which LSP method goes to which function, and nothing else.

One file per feature has the work. Handlers are async only where they wait; plain ones must not take 5 ms.
"""

import asyncio
import logging
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp import __version__
from spark_lsp.errors import Reason
from spark_lsp.server import (
    code_actions,
    documents,
    feedback,
    information,
    inline_completion,
    next_edits,
    notebook_documents,
    settings,
)
from spark_lsp.server.client import Client
from spark_lsp.server.commands import COMMANDS
from spark_lsp.server.convert import path_of
from spark_lsp.server.guard import as_dict, guarded
from spark_lsp.server.model_offers import ModelChoice, ModelOfferTimes
from spark_lsp.server.next_edit_action import next_edit_action
from spark_lsp.server.notebooks import SYNC
from spark_lsp.server.protocol import SparkProtocol, plain_converter
from spark_lsp.server.session import Session
from spark_lsp.server.watching import watch_files
from spark_lsp.workspace import OpenWorkspace

_log = logging.getLogger("spark_lsp.server")

ACTION_KINDS = (types.CodeActionKind.Refactor, types.CodeActionKind.QuickFix, types.CodeActionKind.Source)


class SparkServer(LanguageServer):
    """A pygls server with one session."""

    def __init__(
        self, open_workspace: OpenWorkspace, choice: ModelChoice | None = None, times: ModelOfferTimes | None = None
    ) -> None:
        super().__init__(
            "spark-lsp",
            __version__,
            protocol_cls=SparkProtocol,
            converter_factory=plain_converter,
            max_workers=2,
            notebook_document_sync=SYNC,
        )
        self.session = Session(Client(self), open_workspace, choice, times)
        self._initialization: Any = None
        _register_life(self, self.session)
        _register_documents(self, self.session)
        _register_notebooks(self, self.session)
        _register_completion(self, self.session)
        _register_next_edits(self, self.session)
        _register_actions(self, self.session)
        _register_own(self, self.session)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log what pygls could not handle; a popup for each stray message would help nobody."""
        _log.error("%s: %s", getattr(source, "__name__", source), error)


def _register_life(server: SparkServer, session: Session) -> None:
    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        session.encoding = server.workspace.position_encoding or types.PositionEncodingKind.Utf16
        folder = params.workspace_folders[0].uri if params.workspace_folders else params.root_uri
        session.documents.enter(path_of(folder) if folder else None)
        server._initialization = params.initialization_options  # noqa: SLF001 - the registration is part of the class
        if params.process_id is not None:
            session.watch_editor(params.process_id)

    @server.feature(types.INITIALIZED)
    async def initialized(_params: types.InitializedParams) -> None:
        await configure({})
        await watch_files(session)

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
        await configure(params.settings)

    configuring = asyncio.Lock()

    async def configure(pushed: Any) -> None:
        async with configuring:  # what came last counts, whatever takes longer to read
            await read_and_open(pushed)

    async def read_and_open(pushed: Any) -> None:
        pulled = await settings.pull(session.client)
        editor = pulled if pulled is not None else settings.section(pushed)
        initialization = settings.section(server._initialization)  # noqa: SLF001
        chosen, messages = await asyncio.to_thread(settings.read_settings, session.root, editor, initialization)
        for message in messages:
            session.client.show(f"Spark: {message}")
        await session.configure(chosen)

    @server.feature(types.SHUTDOWN)
    def shutdown(_params: Any) -> None:
        session.close()


def _register_documents(server: SparkServer, session: Session) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: types.DidOpenTextDocumentParams) -> None:
        documents.did_open(session, params)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: types.DidChangeTextDocumentParams) -> None:
        documents.did_change(session, params)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def did_save(params: types.DidSaveTextDocumentParams) -> None:
        documents.did_save(session, params)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: types.DidCloseTextDocumentParams) -> None:
        documents.did_close(session, params)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_watched_files(params: types.DidChangeWatchedFilesParams) -> None:
        documents.did_change_watched_files(session, params)


def _register_notebooks(server: SparkServer, session: Session) -> None:
    @server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def did_open(params: types.DidOpenNotebookDocumentParams) -> None:
        notebook_documents.did_open_notebook(session, params)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def did_change(params: types.DidChangeNotebookDocumentParams) -> None:
        notebook_documents.did_change_notebook(session, params)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)
    def did_save(params: types.DidSaveNotebookDocumentParams) -> None:
        notebook_documents.did_save_notebook(session, params)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def did_close(params: types.DidCloseNotebookDocumentParams) -> None:
        notebook_documents.did_close_notebook(session, params)


def _register_completion(server: SparkServer, session: Session) -> None:
    def no_items() -> types.InlineCompletionList:
        return types.InlineCompletionList(items=[])

    # Without the options object pygls advertises nothing and no editor would ever ask.
    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    @guarded(session.client.show_error, no_items)
    async def inline(params: types.InlineCompletionParams) -> types.InlineCompletionList:
        return await inline_completion.inline_completion(session, params)

    @server.feature("spark/inlineCompletionStream")
    @guarded(session.client.show_error, lambda: {"items": []})
    async def stream(params: Any) -> dict[str, Any]:
        return await inline_completion.stream(session, as_dict(params))

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())
    @guarded(session.client.show_error, lambda: types.CompletionList(is_incomplete=True, items=[]))
    async def completion(params: types.CompletionParams) -> types.CompletionList:
        return await inline_completion.completion(session, params)


def _register_next_edits(server: SparkServer, session: Session) -> None:
    @server.feature("textDocument/copilotInlineEdit")
    @guarded(session.client.show_error, lambda: {"edits": [], "reason": Reason.EMPTY})
    async def inline_edit(params: Any) -> dict[str, Any]:
        return await next_edits.inline_edit(session, as_dict(params))

    @server.feature("textDocument/didShowInlineEdit")
    def did_show(params: Any) -> None:
        next_edits.did_show(session, as_dict(params))

    @server.feature("textDocument/didDismissInlineEdit")
    def did_dismiss(params: Any) -> None:
        next_edits.did_dismiss(session, as_dict(params))


def _register_actions(server: SparkServer, session: Session) -> None:
    def no_actions() -> list[types.CodeAction]:
        return []

    options = types.CodeActionOptions(code_action_kinds=list(ACTION_KINDS), resolve_provider=True)

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    @guarded(session.client.show_error, no_actions)
    async def code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
        listed = await code_actions.code_actions(session, params)
        return [*listed, *await next_edit_action(session, params)]

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve(action: types.CodeAction) -> types.CodeAction:
        guard = guarded(session.client.show_error, lambda: action)
        return await guard(code_actions.resolve)(session, action)

    for name, command in COMMANDS.items():

        def register(name: str = name, command: Any = command) -> None:
            @server.command(name)
            async def run(*arguments: Any) -> Any:
                guard = guarded(session.client.show_error, lambda: None)
                return await guard(command)(session, list(arguments))

        register()


def _register_own(server: SparkServer, session: Session) -> None:
    def no_context() -> dict[str, Any] | None:
        return None

    @server.feature("spark/log")
    def log(_params: Any) -> dict[str, Any]:
        return information.log(session)

    @server.feature("spark/context")
    @guarded(session.client.show_error, no_context)
    async def context(params: Any) -> dict[str, Any] | None:
        return await information.context(session, as_dict(params))

    @server.feature("textDocument/didShowCompletion")
    def did_show(params: Any) -> None:
        feedback.did_show(session, as_dict(params))

    @server.feature("textDocument/didPartiallyAcceptCompletion")
    def did_partially_accept(params: Any) -> None:
        feedback.did_partially_accept(session, as_dict(params))

    @server.feature("textDocument/didDismissCompletion")
    def did_dismiss(params: Any) -> None:
        feedback.did_dismiss(session, as_dict(params))

    @server.feature("textDocument/didFocus")
    def did_focus(params: Any) -> None:
        feedback.did_focus(session, as_dict(params))
