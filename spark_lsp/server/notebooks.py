"""Which cells the notebooks of a window have, in order, and the notebook around a cell.

The texts of the cells are open documents. A client without notebook synchronisation opens them one by one; their order
is that.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from lsprotocol import types

from spark_lsp.text.notebook import CELL_SCHEME, NotebookText, notebook_text
from spark_lsp.text.snapshot import Snapshot

SYNC: Final = types.NotebookDocumentSyncOptions([types.NotebookDocumentFilterWithNotebook(notebook="*")], save=True)


class Notebooks:
    """The notebooks that the client has opened, by their URIs. Belongs to the server's event loop."""

    def __init__(self) -> None:
        self._cells: dict[str, list[str]] = {}

    def opened(self, uri: str, cells: Sequence[str]) -> None:
        """Take a notebook in."""
        self._cells[uri] = list(cells)

    def cells(self, uri: str) -> list[str]:
        """Return the URIs of a notebook's cells, in order."""
        return list(self._cells.get(uri, ()))

    def has(self, uri: str) -> bool:
        """Whether a document is a cell of one of them."""
        return self.with_cell(uri) is not None

    def with_cell(self, uri: str) -> str | None:
        """Return the URI of the notebook that a document is a cell of."""
        return next((notebook for notebook, cells in self._cells.items() if uri in cells), None)

    def closed(self, uri: str) -> None:
        """Forget a notebook."""
        self._cells.pop(uri, None)

    def rearranged(self, uri: str, start: int, removed: int, cells: Sequence[str]) -> None:
        """Put cells in the place of others."""
        known = self._cells.get(uri)
        if known is not None:
            start = min(max(0, start), len(known))
            known[start : start + max(0, removed)] = cells

    def around(self, cell: Snapshot, opened: Sequence[Snapshot], offset: int | None) -> NotebookText | None:
        """Return the notebook around a cell, None for a document that is no cell; ``opened`` are all open documents."""
        for uri, cells in self._cells.items():
            if cell.uri in cells:
                by_uri = {snapshot.uri: snapshot for snapshot in opened}
                in_order = [by_uri[name] for name in cells if name in by_uri]
                return notebook_text(uri, in_order, cell.uri, offset)
        parts = urlsplit(cell.uri)
        if parts.scheme != CELL_SCHEME:
            return None
        uri = parts._replace(fragment="").geturl()
        together = [snapshot for snapshot in opened if urlsplit(snapshot.uri)._replace(fragment="").geturl() == uri]
        return notebook_text(uri, together, cell.uri, offset)
