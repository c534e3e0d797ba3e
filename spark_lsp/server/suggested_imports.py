"""The imports that an accepted suggestion needs: added after it, or with it where the protocol has a field for that.

An inline completion has none in LSP 3.18, so its command asks the editor to make the edit.
"""

import asyncio

from lsprotocol import types

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.shown import AcceptedText
from spark_lsp.edits.import_source import suggested_imports
from spark_lsp.edits.next_edit import NextEdit
from spark_lsp.server.convert import to_range
from spark_lsp.server.session import Session
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import Snapshot


async def add_imports(session: Session, accepted: AcceptedText) -> None:
    """Ask the editor to import the names of an accepted suggestion, if the document is as the suggestion left it."""
    snapshot = session.documents.snapshot(accepted.uri)
    if snapshot is None or accepted.span.text(snapshot.text) != accepted.text:
        return
    edit = await _imports(session, snapshot, snapshot.text, accepted.span)
    current = session.documents.snapshot(accepted.uri)
    if edit is None or current is None or current.version != snapshot.version:
        return
    change = types.TextEdit(to_range(snapshot.text, snapshot.lines, edit.span, session.encoding), edit.new_text)
    workspace = session.client.capabilities.workspace
    can = workspace.workspace_edit if workspace else None
    if can and can.document_changes:
        identifier = types.OptionalVersionedTextDocumentIdentifier(uri=snapshot.uri, version=snapshot.version)
        changes = types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(identifier, [change])])
    else:
        changes = types.WorkspaceEdit(changes={snapshot.uri: [change]})
    parameters = types.ApplyWorkspaceEditParams(edit=changes, label=edit.title)
    await session.client.request(types.WORKSPACE_APPLY_EDIT, parameters)


async def import_text_edits(session: Session, cursor: CursorContext, text: str, replaced: int) -> list[types.TextEdit]:
    """Return the edits that import the names of a suggestion, in positions of the document before it."""
    snapshot = cursor.snapshot
    after = cursor.prefix + text + cursor.suffix[replaced:]
    edit = await _imports(session, snapshot, after, Span(cursor.offset, cursor.offset + len(text)))
    if edit is None:
        return []
    return [types.TextEdit(to_range(snapshot.text, snapshot.lines, edit.span, session.encoding), edit.new_text)]


async def _imports(session: Session, snapshot: Snapshot, text: str, span: Span) -> NextEdit | None:
    """Return the edit of a text of the document; None where imports are not known, or not wanted."""
    folder = session.folders.of(snapshot)
    path, workspace = folder.relative(snapshot), folder.workspace
    is_notebook = session.documents.notebooks.has(snapshot.uri)
    if workspace is None or not path or snapshot.language != "python" or is_notebook:
        return None
    if not (folder.settings.completion.add_imports and workspace.context.is_whole):
        return None
    return await asyncio.to_thread(suggested_imports, workspace.context.view, path, text, span)
