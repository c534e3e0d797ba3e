"""The folders of a window, as the editor adds and removes them, and which of them a document belongs to.

A document belongs to the deepest folder that it is in, one outside of all to the first. A window without a folder has
one whose root is None.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from spark_lsp.errors import ModelMissing
from spark_lsp.server.convert import document_key, path_of
from spark_lsp.server.open_documents import OpenDocuments
from spark_lsp.server.workspace_folder import ServedWorkspace, WorkspaceFolder
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.workspace import Workspace


class WorkspaceFolders:
    """The folders in the editor's order. Belongs to the server's event loop."""

    def __init__(self, documents: OpenDocuments, new_folder: Callable[[Path | None, bool], WorkspaceFolder]) -> None:
        """``new_folder`` makes one that is not open yet, paused or not."""
        self._documents = documents
        self._new_folder = new_folder
        self._uris: dict[str, str] = {}
        """What the editor calls the folders, by the keys of the URIs; two of them may be one folder."""
        self._members: tuple[WorkspaceFolder, ...] = (new_folder(None, False),)
        self._in_use: WorkspaceFolder | None = None
        self._is_paused = False

    def all(self) -> tuple[WorkspaceFolder, ...]:
        """Return the folders, at least one."""
        return self._members

    def workspaces(self) -> list[Workspace]:
        """Return the workspaces that are open."""
        return [folder.workspace for folder in self._members if folder.workspace]

    @property
    def first(self) -> WorkspaceFolder:
        """The folder of documents outside of every folder."""
        return self._members[0]

    @property
    def in_use(self) -> WorkspaceFolder:
        """The folder in which the user works: its cached prefix is the one that the engine prefills."""
        return self._in_use if self._in_use in self._members and self._in_use is not None else self.first

    def of(self, snapshot: Snapshot) -> WorkspaceFolder:
        """Return the folder of a document."""
        if len(self._members) == 1:
            return self.first
        path = self._documents.path_of(snapshot)
        inside = [folder for folder in self._members if folder.holds(path)]
        return max(inside, key=lambda folder: folder.depth, default=self.first)

    def of_uri(self, uri: str) -> WorkspaceFolder:
        """Return the folder of a document by its URI, whether it is open or not."""
        return self.of(self._documents.snapshot(uri) or Snapshot(uri, path_of(uri), 0, "", ""))

    # -- which folders there are -------------------------------------------------------------------------------------

    def enter(self, uris: Iterable[str]) -> tuple[WorkspaceFolder, ...]:
        """Take the folders of these URIs in place of those so far; return those that are gone, to be closed.

        A folder that two URIs name is one folder. Open documents go to the folders that they belong to now.
        """
        owners = [(snapshot, self.of(snapshot)) for snapshot in self._documents.all()]
        before, in_use = self._members, self.in_use
        self._uris = {document_key(uri): uri for uri in uris}
        self._members = self._named()
        for snapshot, owner in owners:
            folder = self.of(snapshot)
            if folder is not owner:
                owner.release(snapshot)
                folder.put(snapshot)
        if self.in_use is not in_use:
            self.in_use.used()
        return tuple(folder for folder in before if folder not in self._members)

    def follow(self, added: Iterable[str], removed: Iterable[str]) -> tuple[WorkspaceFolder, ...]:
        """Add and remove folders by their URIs; return those that are gone, to be closed."""
        gone = {document_key(uri) for uri in removed}
        return self.enter([*(uri for key, uri in self._uris.items() if key not in gone), *added])

    def _named(self) -> tuple[WorkspaceFolder, ...]:
        """Return the folders that are named now, each once: the one so far where it stays."""
        known = {_place(folder.root): folder for folder in self._members}
        named = {_place(path): path for uri in self._uris.values() if (path := path_of(uri))}
        places: Sequence[str] = tuple(named) or ("",)
        return tuple(known.get(place) or self._new_folder(named.get(place), self._is_paused) for place in places)

    # -- what happens in them ----------------------------------------------------------------------------------------

    def use(self, folder: WorkspaceFolder) -> None:
        """Notice that the user works in a folder: another one's cached prefix may take its place in the engine."""
        before, self._in_use = self.in_use, folder
        if folder is not before:
            before.left()
            folder.used()

    def put(self, snapshot: Snapshot) -> None:
        """Let a document's folder know its text."""
        self.of(snapshot).put(snapshot)

    def opened(self, snapshot: Snapshot) -> None:
        """Notice that a document was opened."""
        folder = self.of(snapshot)
        self.use(folder)
        folder.opened(snapshot)

    def edited(self, snapshot: Snapshot, span: Span | None) -> None:
        """Notice an edit: where a folder is inside another one, both have the document in their index."""
        owner = self.of(snapshot)
        owner.edited(snapshot, span)
        for folder in self._members:
            if folder is not owner:
                folder.edited(snapshot, None)

    def files_changed(self, paths: Sequence[Path]) -> None:
        """Notice changes on disk."""
        for folder in self._members:
            folder.files_changed(paths)

    async def pause(self) -> None:
        """Stop completing everywhere, also in folders that come later."""
        self._is_paused = True
        for folder in self._members:
            await folder.pause()

    def resume(self) -> None:
        """Complete again everywhere."""
        self._is_paused = False
        for folder in self._members:
            folder.resume()

    def by_engine(self) -> list[list[ServedWorkspace]]:
        """Return what is open, together what shares an engine's process, first that of the folder in use."""
        in_use = self.in_use
        by_key: dict[str, list[ServedWorkspace]] = {}
        for folder in sorted(self._members, key=lambda folder: folder is not in_use):
            if folder.served:
                by_key.setdefault(folder.served.workspace.engine_key, []).append(folder.served)
        return list(by_key.values())

    async def open_with_model(self) -> None:
        """Open the folders again that have no model: it is there now."""
        for folder in self._members:
            if isinstance(folder.problem, ModelMissing):
                await folder.open(folder.settings)


def _place(root: Path | None) -> str:
    """Return what the names of one folder have in common."""
    if root is None:
        return ""
    try:
        return os.path.normcase(root.resolve())
    except (OSError, RuntimeError):
        return os.path.normcase(root)
