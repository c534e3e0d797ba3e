"""The open documents of a window, each at its newest version, and which files of the workspace they are.

Hands out frozen snapshots; knows nothing of the index, the engine or the editor.
"""

from pathlib import Path

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.gate import MAX_DOCUMENT_CHARACTERS
from spark_lsp.index.scan.places import path_within
from spark_lsp.server.convert import document_key, path_of
from spark_lsp.server.notebooks import Notebooks
from spark_lsp.text.notebook import NotebookText
from spark_lsp.text.snapshot import Snapshot, notebook_of


class OpenDocuments:
    """The documents by their URIs. Belongs to the server's event loop."""

    def __init__(self) -> None:
        self._documents: dict[str, Snapshot] = {}
        self._oversized: set[str] = set()
        self.notebooks = Notebooks()

    def is_oversized(self, uri: str) -> bool:
        """Whether a document is open that is too large to be kept; its changes are not followed."""
        return document_key(uri) in self._oversized

    def refuse(self, uri: str) -> None:
        """Remember an open document that is too large to be kept."""
        self._oversized.add(document_key(uri))

    def all(self) -> list[Snapshot]:
        """Return every open document at its version of this moment."""
        return list(self._documents.values())

    def snapshot(self, uri: str) -> Snapshot | None:
        """Return an open document at its version of this moment."""
        return self._documents.get(document_key(uri))

    def path_of(self, snapshot: Snapshot) -> Path | None:
        """Return the file that a document is, or that its notebook is; None for one without a file."""
        if snapshot.path is not None:
            return snapshot.path
        notebook = self.notebooks.with_cell(snapshot.uri)
        return notebook_of(snapshot.uri) or (path_of(notebook) if notebook else None)

    def whole(self, snapshot: Snapshot, offset: int | None = None) -> Snapshot:
        """Return what a document is a part of: the notebook around a cell, else the document itself.

        The line of ``offset`` stays as it is written, see ``notebook_text``.
        """
        notebook = self.notebooks.around(snapshot, self.all(), offset)
        is_small = notebook is not None and len(notebook.text) <= MAX_DOCUMENT_CHARACTERS
        return notebook if notebook is not None and is_small else snapshot

    def cursor(self, snapshot: Snapshot, offset: int) -> CursorContext:
        """Return the cursor at an offset of a document: in a cell, that of its notebook."""
        whole = self.whole(snapshot, offset)
        place = whole.place_of(snapshot.uri) if isinstance(whole, NotebookText) else None
        return CursorContext(whole, offset + (place.span.start if place is not None else 0))

    def is_current(self, snapshot: Snapshot) -> bool:
        """Whether an open document, or a notebook with all its cells, is still at this version."""
        if isinstance(snapshot, NotebookText):
            cells = [(self.snapshot(place.uri), place.version) for place in snapshot.places]
            return all(cell is not None and cell.version == version for cell, version in cells)
        current = self.snapshot(snapshot.uri)
        return current is not None and current.version == snapshot.version

    def put(self, snapshot: Snapshot) -> None:
        """Take in a document's new version."""
        self._documents[document_key(snapshot.uri)] = snapshot

    def drop(self, uri: str) -> Snapshot | None:
        """Forget a document that was closed."""
        self._oversized.discard(document_key(uri))
        return self._documents.pop(document_key(uri), None)

    def at(self, root: Path | None, path: str) -> Snapshot | None:
        """Return the open document of a file, by its path within a workspace."""
        return next((snapshot for snapshot in self.all() if path_within(root, snapshot.path) == path), None)

    def file(self, root: Path | None, path: str, text: str | None) -> tuple[Snapshot, int | None] | None:
        """Return a file of a workspace with that text, and its version where it is open.

        None without a folder, or when the open document says something else by now.
        """
        if root is None:
            return None
        opened = self.at(root, path)
        if opened is not None:
            return (opened, opened.version) if opened.text == text else None
        place = root / path
        return Snapshot(place.as_uri(), place, 0, "", text or ""), None

    def paths(self, root: Path | None) -> list[str]:
        """Return the open documents' paths within a workspace."""
        return [path for snapshot in self.all() if (path := path_within(root, snapshot.path))]
