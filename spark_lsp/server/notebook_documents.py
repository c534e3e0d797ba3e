"""``notebookDocument/didOpen``, ``didChange``, ``didSave`` and ``didClose``: a cell is handled like any other document.

What else a notebook holds, such as outputs and metadata, is not kept.
"""

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.server.documents import did_change, did_close, did_open, did_save
from spark_lsp.server.session import Session


def register(server: LanguageServer, session: Session) -> None:
    """Register the methods."""

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenNotebookDocumentParams) -> None:
        did_open_notebook(session, params)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def edited(params: types.DidChangeNotebookDocumentParams) -> None:
        did_change_notebook(session, params)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveNotebookDocumentParams) -> None:
        did_save_notebook(session, params)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseNotebookDocumentParams) -> None:
        did_close_notebook(session, params)


def did_open_notebook(session: Session, params: types.DidOpenNotebookDocumentParams) -> None:
    """Take a notebook in, and the texts of its cells."""
    notebook = params.notebook_document
    session.documents.notebooks.opened(notebook.uri, [cell.document for cell in notebook.cells])
    for item in params.cell_text_documents:
        did_open(session, types.DidOpenTextDocumentParams(item))


def did_change_notebook(session: Session, params: types.DidChangeNotebookDocumentParams) -> None:
    """Follow cells that come, go or move, and the changes of their texts."""
    change = params.change.cells
    if change is None:
        return
    if change.structure is not None:
        array = change.structure.array
        cells = [cell.document for cell in array.cells or ()]
        notebooks = session.documents.notebooks
        notebooks.rearranged(params.notebook_document.uri, array.start, array.delete_count, cells)
        for item in change.structure.did_open or ():
            did_open(session, types.DidOpenTextDocumentParams(item))
        for closed in change.structure.did_close or ():
            did_close(session, types.DidCloseTextDocumentParams(closed))
    for content in change.text_content or ():
        did_change(session, types.DidChangeTextDocumentParams(content.document, content.changes))


def did_save_notebook(session: Session, params: types.DidSaveNotebookDocumentParams) -> None:
    """Bring what depends on saved files up to date."""
    for uri in session.documents.notebooks.cells(params.notebook_document.uri):
        did_save(session, types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))


def did_close_notebook(session: Session, params: types.DidCloseNotebookDocumentParams) -> None:
    """Forget a notebook and its cells."""
    for closed in params.cell_text_documents:
        did_close(session, types.DidCloseTextDocumentParams(closed))
    session.documents.notebooks.closed(params.notebook_document.uri)
