"""A window on several folders, in one process: the handlers on a session, and a scripted engine for each folder."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from scripts.harness.fixture import parse_fixture, write_workspace
from spark_lsp.app import open_workspace
from spark_lsp.engine.base import Chunk, CompletionRequest, PromptPart
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.server import documents, inline_completion
from spark_lsp.server.configuration import Configuration
from spark_lsp.server.lifecycle import change_folders
from spark_lsp.server.session import Handshake, Session
from spark_lsp.server.workspace_folder import WorkspaceFolder
from spark_lsp.workspace import Workspace
from tests.server.test_opening import HeldChoice, MuteClient


class WatchedEngine(ScriptedEngine):
    """An engine that tells when it was asked."""

    def __init__(self) -> None:
        super().__init__(["x + 1"])
        self.asked = asyncio.Event()

    def sent(self) -> list[PromptPart]:
        """Return all parts of the prompts that it was sent."""
        return [part for request in self.requests for part in request.prompt]

    def generate(self, request: CompletionRequest) -> AsyncGenerator[Chunk]:
        """Tell of a request."""
        self.asked.set()
        return super().generate(request)


class FolderWindow:
    """A session on folders of ``base``, which are named by their relative paths."""

    def __init__(self, base: Path, folders: Sequence[str], choice: HeldChoice | None = None) -> None:
        self.base = base
        self.opened: defaultdict[Path | None, list[WatchedEngine]] = defaultdict(list)
        """The engines that a folder was opened with, one after the other."""
        self.session = Session(MuteClient(LanguageServer("test", "0")), self._open, choice)
        self.session.initialize(Handshake(tuple(self.uri(name) for name in folders)))
        self.configuration = Configuration(self.session)
        self._version = 0

    @property
    def engines(self) -> dict[Path | None, WatchedEngine]:
        """The engine that a folder was opened with last."""
        return {root: engines[-1] for root, engines in self.opened.items()}

    def uri(self, path: str) -> str:
        """The URI of a path."""
        return (self.base / path).as_uri()

    def folder(self, path: str) -> WorkspaceFolder:
        """The folder of a document."""
        return self.session.folders.of_uri(self.uri(path))

    def roots(self) -> list[str]:
        """The folders of the window, by their paths."""
        roots = [folder.root for folder in self.session.folders.all()]
        return [root.relative_to(self.base).as_posix() for root in roots if root]

    def change_folders(self, added: Sequence[str] = (), removed: Sequence[str] = ()) -> None:
        """Add and remove folders; they are not opened yet."""
        named = [[types.WorkspaceFolder(self.uri(name), name) for name in names] for names in (added, removed)]
        change_folders(self.session, types.WorkspaceFoldersChangeEvent(added=named[0], removed=named[1]))

    async def open_folders(self) -> None:
        """Open the folders with their settings, as ``initialized`` and every change of them do."""
        await self.configuration.read()
        await self.session.tasks.wait()

    def open(self, path: str, text: str) -> types.Position:
        """Open a document with ``$0``; return the cursor."""
        fixture = parse_fixture(text, default_path=path)
        self._version += 1
        item = types.TextDocumentItem(self.uri(path), "python", self._version, fixture.text)
        documents.did_open(self.session, types.DidOpenTextDocumentParams(item))
        before = fixture.text[: fixture.offset]
        return types.Position(before.count("\n"), len(before.rpartition("\n")[2]))

    def type(self, path: str, at: types.Position, text: str) -> types.Position:
        """Type a text without line ends; return the cursor after it."""
        self._version += 1
        identifier = types.VersionedTextDocumentIdentifier(self._version, self.uri(path))
        change = types.TextDocumentContentChangePartial(types.Range(at, at), text)
        documents.did_change(self.session, types.DidChangeTextDocumentParams(identifier, [change]))
        return types.Position(at.line, at.character + len(text))

    def close(self, path: str) -> None:
        """Close a document."""
        params = types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(self.uri(path)))
        documents.did_close(self.session, params)

    async def complete(self, path: str, at: types.Position) -> types.InlineCompletionItem | None:
        """Ask for a completion by hand."""
        context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked)
        params = types.InlineCompletionParams(context, types.TextDocumentIdentifier(self.uri(path)), at)
        answer = await inline_completion.inline_completion(self.session, params)
        return answer.items[0] if answer.items else None

    def last_reason(self) -> str:
        """The reason code of the last request."""
        return self.session.log.records()[-1].reason

    def shown_to_model(self, folder: str) -> str:
        """Return everything that a folder's engine was sent."""
        return "\n".join(getattr(part, "text", "") for part in self.engines[self.base / folder].sent())

    def indexed(self, path: str) -> set[str]:
        """The files in the index of a folder, by one of its documents."""
        workspace = self.folder(path).workspace
        assert workspace
        assert workspace.index
        return set(workspace.index.view().files)

    def _open(self, root: Path | None, *arguments: Any, **named: Any) -> Workspace:
        self.opened[root].append(WatchedEngine())
        return open_workspace(root, *arguments, **named, engine=self.opened[root][-1])


@asynccontextmanager
async def folder_window(
    base: Path, files: str, folders: Sequence[str], choice: HeldChoice | None = None
) -> AsyncIterator[FolderWindow]:
    """Write files below ``base`` and make a window on folders of it; leave nothing of it."""
    write_workspace(parse_fixture(files), base)
    window = FolderWindow(base, folders, choice)
    yield window
    await window.session.tasks.wait()
    window.session.close()
    await window.session.wait_until_closed()
