"""``textDocument/codeAction`` and ``codeAction/resolve``: a list without a model, the edit when one is chosen.

A client without resolve support gets a command instead. An edit made for an older version of a document is refused.
"""

from typing import Any

from lsprotocol import types

from spark_lsp.actions.base import Offer, Proposal, Target
from spark_lsp.server.convert import to_range, to_span
from spark_lsp.server.session import Session
from spark_lsp.text.document import Snapshot
from spark_lsp.text.edit import Span

APPLY_COMMAND = "spark.applyAction"
ANNOTATION = "spark"
USUAL_TOKENS = 256  # what the progress bar counts towards; few actions write more


def code_actions(session: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    """List what applies; no model is asked, whatever triggered the request."""
    snapshot = session.snapshot(params.text_document.uri)
    if snapshot is None or session.rooms is None:
        return []
    span = to_span(snapshot, params.range, session.encoding)
    offers = session.rooms.actions.offers(Target.of(snapshot, span))
    wanted = params.context.only
    return [
        _offered(session, offer, snapshot, span)
        for offer in offers
        if not wanted or any(offer.kind == kind or offer.kind.startswith(f"{kind}.") for kind in wanted)
    ]


async def resolve(session: Session, action: types.CodeAction) -> types.CodeAction:
    """Make the edit of a chosen action; without one the reason is shown to the user."""
    data = action.data if isinstance(action.data, dict) else {}
    action.edit = await propose(session, data)
    return action


async def propose(session: Session, data: dict[str, Any]) -> types.WorkspaceEdit | None:
    """Return the edit for an action's data, or None after a plain message why there is none."""
    snapshot = session.snapshot(str(data.get("uri", "")))
    if snapshot is None or session.rooms is None:
        return None
    if snapshot.version != data.get("version"):
        session.client.answer("Spark: the document has changed since the action was offered; please choose it again.")
        return None
    target = Target.of(snapshot, Span(int(data["start"]), int(data["end"])))
    async with session.client.progress(str(data.get("title", "Code action"))) as report:
        proposal = await session.rooms.actions.propose(
            str(data.get("id", "")),
            target,
            lambda tokens, rate: report(tokens, USUAL_TOKENS, f"{tokens} tokens, {rate:.0f}/s"),
        )
    session.tell_status()
    current = session.snapshot(snapshot.uri)
    if current is None or current.version != snapshot.version:
        session.client.answer("Spark: the document has changed meanwhile; nothing was edited.")
        return None
    if not proposal.edits:
        session.client.answer(f"Spark: {proposal.message or 'there is nothing to change.'}", types.MessageType.Info)
        return None
    return workspace_edit(session, snapshot, proposal, str(data.get("title", "")))


def workspace_edit(session: Session, snapshot: Snapshot, proposal: Proposal, title: str) -> types.WorkspaceEdit:
    """Return a proposal as the client takes it: versioned and annotated where it can."""
    edits = [
        types.TextEdit(to_range(snapshot.text, snapshot.lines, edit.span, session.encoding), edit.new_text)
        for edit in proposal.edits
    ]
    workspace = session.client.capabilities.workspace
    can = workspace.workspace_edit if workspace else None
    if not (can and can.document_changes):
        return types.WorkspaceEdit(changes={snapshot.uri: edits})
    versioned = types.OptionalVersionedTextDocumentIdentifier(uri=snapshot.uri, version=snapshot.version)
    if not can.change_annotation_support:
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(versioned, edits)])
    annotated = [types.AnnotatedTextEdit(ANNOTATION, edit.range, edit.new_text) for edit in edits]
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(versioned, annotated)],
        change_annotations={ANNOTATION: types.ChangeAnnotation(label=title or "Spark", needs_confirmation=False)},
    )


def _offered(session: Session, offer: Offer, snapshot: Snapshot, span: Span) -> types.CodeAction:
    data = {
        "id": offer.id,
        "title": offer.title,
        "uri": snapshot.uri,
        "version": snapshot.version,
        "start": span.start,
        "end": span.end,
    }
    action = types.CodeAction(title=offer.title, kind=offer.kind)
    if _can_resolve_edits(session):
        action.data = data
    else:
        action.command = types.Command(title=offer.title, command=APPLY_COMMAND, arguments=[data])
    return action


def _can_resolve_edits(session: Session) -> bool:
    document = session.client.capabilities.text_document
    actions = document.code_action if document else None
    support = actions.resolve_support if actions else None
    return bool(actions and actions.data_support and support and "edit" in support.properties)
