"""An editor for tests: the real protocol to a server process, by pytest-lsp's client, with `$0` texts."""

import asyncio
import functools
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest_lsp
from lsprotocol import types

from scripts.harness.fixture import parse_fixture, write_workspace

SCRIPTED = ("-m", "tests.server.scripted_server")
REAL = ("-m", "spark_lsp", "serve", "--stdio")
PATIENCE_S = 20.0


def capabilities(encodings: list[str] | None = None, **more: Any) -> types.ClientCapabilities:
    """The capabilities of a capable editor."""
    edit = types.WorkspaceEditClientCapabilities(
        document_changes=True, change_annotation_support=types.ChangeAnnotationsSupportOptions()
    )
    resolve = types.ClientCodeActionResolveOptions(properties=["edit", "command"])
    return types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=encodings) if encodings else None,
        window=types.WindowClientCapabilities(work_done_progress=True),
        workspace=types.WorkspaceClientCapabilities(
            configuration=True,
            workspace_edit=edit,
            apply_edit=True,
            did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True),
        ),
        text_document=types.TextDocumentClientCapabilities(
            code_action=types.CodeActionClientCapabilities(data_support=True, resolve_support=resolve)
        ),
        **more,
    )


def listen(client: pytest_lsp.LanguageClient, method: str, handler: Callable[[Any], Any]) -> None:
    """Register a handler in place of pytest-lsp's default, if it has one."""
    client.protocol.fm.features.pop(method, None)
    client.feature(method)(functools.partial(handler))


def _agree(_params: Any) -> None:
    """Return an empty answer."""


class Editor:
    """One window on a workspace."""

    def __init__(self, client: pytest_lsp.LanguageClient, root: Path, choice: str | None = None) -> None:
        self.client = client
        self.choice = choice
        """The user's choice in a message with buttons."""
        self.questions: list[str] = []
        self.root = root
        self.statuses: list[Any] = []
        self.partials: list[dict[str, Any]] = []
        self.begun: dict[str, tuple[types.ProgressToken, bool]] = {}
        """The token of each progress by its title, and whether it can be cancelled."""
        self.progress: list[Any] = []
        """Work-done progress in order: token and value."""
        self.messages: list[str] = []
        self.edits: list[types.WorkspaceEdit] = []
        self.versions: dict[str, int] = {}
        self.texts: dict[str, str] = {}
        self.result: types.InitializeResult | None = None
        self._changed = asyncio.Event()
        listen(client, "spark/status", self._on_status)
        listen(client, types.CLIENT_REGISTER_CAPABILITY, _agree)
        listen(client, types.CLIENT_UNREGISTER_CAPABILITY, _agree)
        listen(client, types.WORKSPACE_APPLY_EDIT, self._on_edit)
        listen(client, types.WINDOW_SHOW_MESSAGE, self._on_message)
        listen(client, types.PROGRESS, self._on_progress)
        listen(client, types.WINDOW_SHOW_MESSAGE_REQUEST, self._on_question)

    def uri(self, path: str) -> str:
        """The URI of a workspace path."""
        return (self.root / path).as_uri()

    def open(self, path: str, text: str, language: str = "python") -> types.Position:
        """Open a document with ``$0``; return the cursor as a UTF-16 position."""
        fixture = parse_fixture(text, default_path=path)
        self.texts[path], self.versions[path] = fixture.text, 1
        item = types.TextDocumentItem(self.uri(path), language, 1, fixture.text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        before = fixture.text[: fixture.offset]
        return types.Position(before.count("\n"), len(before.rpartition("\n")[2]))

    def change(self, path: str, place: types.Range, text: str) -> None:
        """Send an incremental change."""
        self.versions[path] += 1
        identifier = types.VersionedTextDocumentIdentifier(self.versions[path], self.uri(path))
        change = types.TextDocumentContentChangePartial(range=place, text=text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))

    def type(self, path: str, at: types.Position, text: str) -> types.Position:
        """Type a text without line ends; return the cursor after it."""
        self.change(path, types.Range(at, at), text)
        return types.Position(at.line, at.character + len(text))

    def request(self, path: str, at: types.Position, *, by_hand: bool = False) -> types.InlineCompletionParams:
        """The params of an inline completion request."""
        kind = types.InlineCompletionTriggerKind
        context = types.InlineCompletionContext(kind.Invoked if by_hand else kind.Automatic)
        return types.InlineCompletionParams(context, types.TextDocumentIdentifier(self.uri(path)), at)

    async def complete(
        self, path: str, at: types.Position, *, by_hand: bool = False
    ) -> types.InlineCompletionItem | None:
        """Request an inline completion."""
        answer = await self.client.text_document_inline_completion_async(self.request(path, at, by_hand=by_hand))
        items = answer.items if isinstance(answer, types.InlineCompletionList) else list(answer or [])
        return items[0] if items else None

    async def send(self, method: str, params: dict[str, Any]) -> Any:
        """Send a request outside of LSP; results are plain objects."""
        return await self.client.protocol.send_request_async(method, params)  # type: ignore[no-untyped-call]

    async def reasons(self) -> list[str]:
        """Reason codes in the log, oldest first."""
        log = await self.send("spark/log", {})
        return [entry.reason for entry in log.requests]

    async def until(self, holds: Callable[["Editor"], object]) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds(self):
                self._changed.clear()
                await self._changed.wait()

    async def ready(self) -> None:
        """Wait until the index is built and the model is loaded."""
        await self.until(
            lambda editor: any(s.kind == "Normal" and s.indexed.files == s.indexed.of > 0 for s in editor.statuses[-1:])
        )

    def _on_status(self, params: Any) -> None:
        self.statuses.append(params)
        self._changed.set()

    def _on_progress(self, params: Any) -> None:
        if isinstance(params.value, dict) and "sequence" in params.value:
            self.partials.append(params.value)
        elif isinstance(params.value, dict) and params.value.get("kind") == "begin":
            self.begun[params.value["title"]] = params.token, params.value.get("cancellable", False)
        if isinstance(params.value, dict) and "kind" in params.value:
            self.progress.append(params)
        self._changed.set()

    def _on_question(self, params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
        self.questions.append(params.message)
        self._changed.set()
        return next((action for action in params.actions or [] if action.title == self.choice), None)

    def _on_message(self, params: types.ShowMessageParams) -> None:
        self.messages.append(params.message)
        self._changed.set()

    def _on_edit(self, params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        self.edits.append(params.edit)
        self._changed.set()
        return types.ApplyWorkspaceEditResult(applied=True)


@asynccontextmanager
async def editor(
    workspace: str,
    folder: Path,
    command: tuple[str, ...] = SCRIPTED,
    *,
    settings: dict[str, Any] | None = None,
    says: types.ClientCapabilities | None = None,
    environment: dict[str, str] | None = None,
    choice: str | None = None,
) -> AsyncIterator[Editor]:
    """Start a server on a workspace, and shut it down properly; it must exit with 0."""
    root = folder / "workspace"
    root.mkdir(parents=True, exist_ok=True)
    write_workspace(parse_fixture(workspace), root)
    client = pytest_lsp.make_test_lsp_client()
    if settings is not None:
        client.set_configuration({"spark": settings})
    opened = Editor(client, root, choice)
    private = {name: str(folder / name) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "SPARK_LSP_RUNTIME_DIR")}
    variables = {**os.environ, **private, **(environment or {})}
    await client.start_io(sys.executable, *command, env=variables)
    try:
        opened.result = await client.initialize_session(
            types.InitializeParams(capabilities=says or capabilities(), root_uri=root.as_uri(), process_id=os.getpid())
        )
        yield opened
        await client.shutdown_async(None)
        client.exit(None)
        process = client._server  # noqa: SLF001 - the client has no name for it
        assert process is not None
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0
    finally:
        # The client waits for the server's end, which a failed test never requested.
        if (server := client._server) is not None and server.returncode is None:  # noqa: SLF001 - as above
            server.kill()
        await client.stop()  # type: ignore[no-untyped-call]
