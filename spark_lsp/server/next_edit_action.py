"""The code action "Next edit: …", for editors that do not speak ``textDocument/copilotInlineEdit``."""

from lsprotocol import types

from spark_lsp.server.convert import to_range
from spark_lsp.server.copilot_inline_edit import (
    ACCEPT_COMMAND,
    InlineEditRequest,
    PlacedEdit,
    inline_edit_request,
    next_edit_at,
)
from spark_lsp.server.session import Session

KIND = "refactor.rewrite.nextEdit"


def next_edit_request(session: Session, params: types.CodeActionParams) -> InlineEditRequest | None:
    """Take what the action needs from the session; None where no edit was made or other kinds are asked for."""
    kinds, uri = params.context.only or (), params.text_document.uri
    if kinds and not any(f"{KIND}.".startswith(f"{kind}.") for kind in kinds):
        return None
    if not session.folders.of_uri(uri).next_edits.journal.edits(uri):
        return None
    return inline_edit_request(session, uri, params.range.start)


async def next_edit_action(session: Session, request: InlineEditRequest | None) -> list[types.CodeAction]:
    """Return the action that makes the next edit, none where there is no edit."""
    if request is None:
        return []
    placed = await next_edit_at(session, request)
    edit = _workspace_edit(session, placed) if isinstance(placed, PlacedEdit) else None
    if edit is None or isinstance(placed, str):
        return []
    title = placed.offer.edit.title
    command = types.Command(title=title, command=ACCEPT_COMMAND, arguments=[{"id": placed.offer.id}])
    data = {"id": "next.edit"}
    return [types.CodeAction(title=f"Next edit: {title}", kind=KIND, edit=edit, command=command, data=data)]


def _workspace_edit(session: Session, placed: PlacedEdit) -> types.WorkspaceEdit | None:
    """Return the edit as the client takes it; None for one in another file that it cannot change."""
    workspace = session.client.capabilities.workspace
    can = workspace.workspace_edit if workspace else None
    snapshot, edit = placed.snapshot, placed.offer.edit
    change = types.TextEdit(to_range(snapshot.text, snapshot.lines, edit.span, session.encoding), edit.new_text)
    if can and can.document_changes:
        identifier = types.OptionalVersionedTextDocumentIdentifier(uri=snapshot.uri, version=placed.version)
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(identifier, [change])])
    return types.WorkspaceEdit(changes={snapshot.uri: [change]}) if placed.version is not None else None
