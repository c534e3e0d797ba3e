"""The session of one editor window: a list of what it owns, and its end.

Handlers take a Snapshot before their first await and never read live documents afterwards. One module for each LSP
feature uses a session; ``server.py`` lists them.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from lsprotocol import types

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.errors import Reason
from spark_lsp.server.background import BackgroundTasks
from spark_lsp.server.baseline_texts import BaselineTexts
from spark_lsp.server.client import Client
from spark_lsp.server.convert import to_offset
from spark_lsp.server.editor_process import EditorProcess
from spark_lsp.server.editor_window import EditorWindow
from spark_lsp.server.model_offers import ModelChoice, ModelOffers, ModelOfferTimes
from spark_lsp.server.open_documents import OpenDocuments
from spark_lsp.server.status import Status, status_of_window
from spark_lsp.server.time_limit import TimeLimit
from spark_lsp.server.workspace_folder import FolderOpening, WorkspaceFolder
from spark_lsp.server.workspace_folders import WorkspaceFolders
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.trace import Trace, TraceLog
from spark_lsp.workspace import OpenWorkspace

LEAVE_S = 5.0  # for work that does not end by itself once the editor has gone
LIST_LIMIT_S = 2.0  # for a list of code actions: editors ask at each move of the cursor

_log = logging.getLogger("spark_lsp.server")


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the editor said in ``initialize``."""

    folders: tuple[str, ...] = ()
    """The URIs of the window's folders."""
    encoding: types.PositionEncodingKind | str = types.PositionEncodingKind.Utf16
    options: Mapping[str, Any] = field(default_factory=dict)
    """``initializationOptions`` as they came."""
    process_id: int | None = None
    """The editor's process."""


class Session:
    """One window. Belongs to the server's event loop."""

    def __init__(
        self,
        client: Client,
        open_workspace: OpenWorkspace,
        choice: ModelChoice | None = None,
        times: ModelOfferTimes | None = None,
    ) -> None:
        self.client = client
        self.handshake = Handshake()
        """As the specification supposes until ``initialize`` has come."""
        self.log = TraceLog()
        """The last requests, for ``spark/log``."""
        self.tasks = BackgroundTasks()
        self.documents = OpenDocuments()
        self.baselines = BaselineTexts()
        """What code actions compare the documents with."""
        self.listing = TimeLimit(LIST_LIMIT_S)
        """The threads that list code actions."""
        window = EditorWindow(client, self.documents, self.tasks, self.tell_status)
        self.model_offers = ModelOffers(window, self._all_folders, choice, times or ModelOfferTimes())
        opening = FolderOpening(
            self.log,
            count(1),
            open_workspace,
            self.model_offers.prepare,
            is_in_use=lambda folder: folder is self.folders.in_use,
            documents_of=self._documents_of,
            model_pulled=self._model_pulled,
        )

        def new_folder(root: Path | None, is_paused: bool) -> WorkspaceFolder:
            return WorkspaceFolder(root, window, opening, is_paused=is_paused)

        self.folders = WorkspaceFolders(self.documents, new_folder)
        self._editor: EditorProcess | None = None
        self._sent_status: Status | None = None
        self._closing: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    @property
    def encoding(self) -> types.PositionEncodingKind | str:
        """The position encoding of the protocol's positions."""
        return self.handshake.encoding

    def initialize(self, handshake: Handshake) -> None:
        """Take in what the editor said; the server ends with the editor's process, as the specification says."""
        self.handshake = handshake
        self.folders.enter(handshake.folders)
        if handshake.process_id is not None:
            editor = EditorProcess(handshake.process_id, self._editor_gone)
            if editor.watch():
                self._editor = editor

    def put(self, snapshot: Snapshot) -> None:
        """Take in a document's new version."""
        self.documents.put(snapshot)
        self.folders.put(snapshot)

    async def open_folder_of(self, uri: str) -> WorkspaceFolder:
        """Return the folder of a document, in which the user works, and wait until it is open.

        A folder that is removed meanwhile leaves the request to the one that the document belongs to then.
        """
        folder = self.folders.of_uri(uri)
        self.folders.use(folder)
        await folder.wait_until_open()
        current = self.folders.of_uri(uri)
        return current if current is folder else await self.open_folder_of(uri)

    def cursor_at(self, uri: str, position: types.Position) -> CursorContext | None:
        """Return the cursor at a position of an open document; None for one that is not open."""
        snapshot = self.documents.snapshot(uri)
        if snapshot is None:
            return None
        return self.documents.cursor(snapshot, to_offset(snapshot.text, snapshot.lines, position, self.encoding))

    def drop(self, uri: str) -> Snapshot | None:
        """Forget a document that was closed; its text on disk counts again."""
        snapshot = self.documents.snapshot(uri)
        if snapshot is not None:
            self.folders.of(snapshot).release(snapshot)
        return self.documents.drop(uri)

    # -- what the user is told ---------------------------------------------------------------------------------------

    def note_refusal(self, name: str, uri: str) -> None:
        """Log a request that could not be served: its document is not open or too large, or there is no workspace."""
        if self.documents.is_oversized(uri):
            reason = Reason.gate("too_large")
        elif self.documents.snapshot(uri):
            problem = self.folders.of_uri(uri).problem
            reason = problem.reason if problem else Reason.ENGINE_STARTING
        else:
            reason = Reason.gate("not_open")
        self.log.add(Trace(name).finish(reason))

    def tell_status(self) -> None:
        """Send ``spark/status`` when it differs from what was sent last."""
        in_use = self.folders.in_use
        others = [(folder.name, folder.status()) for folder in self.folders.all() if folder is not in_use]
        status = status_of_window(in_use.status(), others)
        if status != self._sent_status:
            self._sent_status = status
            self.client.notify("spark/status", status.as_json())

    # -- the end -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Begin to stop all work and to leave the engine; returns at once, so that ``shutdown`` is answered at once.

        A client may send ``exit`` right behind it. What is not done by then ends with the process: the engine sees the
        connection close.
        """
        if self._closing is None:
            for folder in self.folders.all():
                folder.stop()
            self._closing = asyncio.create_task(self._close(), name="close")

    async def wait_until_closed(self) -> None:
        """Wait until ``close`` has stopped everything."""
        if self._closing:
            await asyncio.wait([self._closing])

    async def _close(self) -> None:
        if self._editor:
            self._editor.close()
        self.listing.close()
        self.model_offers.close()
        await self.tasks.close()
        await asyncio.gather(*(folder.close() for folder in self.folders.all()))

    def _all_folders(self) -> tuple[WorkspaceFolder, ...]:
        return self.folders.all()

    def _documents_of(self, folder: WorkspaceFolder) -> list[Snapshot]:
        return [snapshot for snapshot in self.documents.all() if self.folders.of(snapshot) is folder]

    async def _model_pulled(self) -> None:
        await self.folders.open_with_model()

    def _editor_gone(self) -> None:
        _log.warning("The editor has ended.")
        self._leaving = asyncio.create_task(self._leave(), name="leave")

    async def _leave(self) -> None:
        self.close()
        if self._closing:
            await asyncio.wait([self._closing], timeout=LEAVE_S)
        os._exit(1)  # a thread may still read the pipe, which somebody else holds open
