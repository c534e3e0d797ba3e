"""``textDocument/codeAction`` and ``codeAction/resolve``: a list without a model, the edit when one is chosen.

A client without resolve support gets a command instead. An edit made for an older version of a document is refused.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lsprotocol import types

from spark_lsp.actions.base import Diagnostic, Offer, Proposal, Target
from spark_lsp.actions.chat.update_references import UpdateReferences
from spark_lsp.server.convert import to_range, to_span
from spark_lsp.server.session import Session
from spark_lsp.text.document import Snapshot
from spark_lsp.text.edit import Edit, Span, apply_edits

APPLY_COMMAND = "spark.applyAction"
ANNOTATION = "spark"
USUAL_TOKENS = 256  # what the progress bar counts towards; few actions write more


def code_actions(session: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    """List what applies; no model is asked, whatever triggered the request."""
    snapshot = session.snapshot(params.text_document.uri)
    if snapshot is None or session.workspace is None:
        return []
    span = to_span(snapshot, params.range, session.encoding)
    told = [(_diagnostic(session, snapshot, each), each) for each in params.context.diagnostics]
    target = Target.of(snapshot, span, tuple(dict.fromkeys(each for each, _ in told)))
    target = replace(target, earlier=session.openings.of(snapshot.uri))
    offers = session.workspace.actions.offers(target, foresee=_shows_reasons(session, params.context))
    wanted = params.context.only
    return [
        _offered(session, offer, snapshot, span, [theirs for ours, theirs in told if ours == offer.diagnostic])
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
    if snapshot is None or session.workspace is None:
        return None
    if snapshot.version != data.get("version"):
        session.client.answer("Spark: the document has changed since the action was offered; please choose it again.")
        return None
    found = _diagnostic_of(data.get("diagnostic"))
    span, said = Span(int(data["start"]), int(data["end"])), str(data.get("instruction", ""))
    target = Target.of(snapshot, span, (found,) if found else (), said)
    return await _proposed(session, replace(target, earlier=session.openings.of(snapshot.uri)), data)


async def rewrite(session: Session, uri: str, place: types.Range, instruction: str) -> types.WorkspaceEdit | None:
    """Return the edit that an instruction makes of a range, or None after a plain message why there is none."""
    snapshot = session.snapshot(uri)
    if snapshot is None or session.workspace is None:
        session.client.answer("Spark: the document is not open, so it cannot be rewritten.")
        return None
    if not instruction.strip():
        session.client.answer("Spark: there is no instruction; say in a few words what to change.")
        return None
    target = Target.of(snapshot, to_span(snapshot, place, session.encoding), (), instruction)
    return await _proposed(session, target, {"id": "rewrite", "title": f"Rewrite: {instruction}"})


async def _proposed(session: Session, target: Target, data: dict[str, Any]) -> types.WorkspaceEdit | None:
    """Run an action, with progress; None after a plain message why there is no edit."""
    assert session.workspace is not None, "the callers have looked"
    snapshot = target.snapshot
    async with session.client.progress(str(data.get("title", "Code action"))) as report:
        proposal = await session.workspace.actions.propose(
            str(data.get("id", "")),
            target,
            lambda tokens, rate: report(tokens, USUAL_TOKENS, f"{tokens} tokens, {rate:.0f}/s"),
        )
    session.tell_status()
    current = session.snapshot(snapshot.uri)
    if current is None or current.version != snapshot.version:
        session.client.answer("Spark: the document has changed meanwhile; nothing was edited.")
        return None
    if not proposal.edits and not proposal.files:
        session.client.answer(f"Spark: {proposal.message or 'there is nothing to change.'}", types.MessageType.Info)
        return None
    if proposal.files and not _can_change_files(session, makes=any(file.text is None for file in proposal.files)):
        session.client.answer("Spark: this edit is in another file, and the editor cannot take such edits.")
        return None
    if any(session.file(file.path, file.text) is None for file in proposal.files):
        session.client.answer("Spark: another document has changed meanwhile; nothing was edited.")
        return None
    if proposal.id == UpdateReferences.id:
        session.openings.handed(snapshot, _texts_after(session, snapshot, proposal))
    return workspace_edit(session, snapshot, proposal, str(data.get("title", "")))


def _texts_after(session: Session, snapshot: Snapshot, proposal: Proposal) -> dict[str, str]:
    """Return the documents that a proposal changes as they are after it, by their URIs."""
    after = {snapshot.uri: apply_edits(snapshot.text, proposal.edits)} if proposal.edits else {}
    for file in proposal.files:
        there = session.file(file.path, file.text)
        if there is not None:
            after[there[0].uri] = apply_edits(there[0].text, file.edits)
    return after


def workspace_edit(session: Session, snapshot: Snapshot, proposal: Proposal, title: str) -> types.WorkspaceEdit:
    """Return a proposal as the client takes it: versioned and annotated where it can."""
    workspace = session.client.capabilities.workspace
    can = workspace.workspace_edit if workspace else None
    if not (can and can.document_changes):
        own = _text_edits(session, snapshot, proposal.edits)
        return types.WorkspaceEdit(changes={snapshot.uri: own} if own else {})
    annotated = bool(can.change_annotation_support)
    changes = [_document_edit(session, snapshot, snapshot.version, proposal.edits, annotated=annotated)]
    changes = changes if proposal.edits else []
    creates: list[types.CreateFile] = []
    for file in proposal.files:
        there = session.file(file.path, file.text)
        if there is None:
            continue
        other, version = there
        if file.text is None:
            creates.append(types.CreateFile(uri=other.uri, options=types.CreateFileOptions(ignore_if_exists=False)))
        changes.append(_document_edit(session, other, version, file.edits, annotated=annotated))
    note = types.ChangeAnnotation(label=title or "Spark", needs_confirmation=proposal.asks)
    return types.WorkspaceEdit(
        document_changes=[*creates, *changes], change_annotations={ANNOTATION: note} if annotated else None
    )


def _document_edit(
    session: Session, snapshot: Snapshot, version: int | None, edits: Sequence[Edit], *, annotated: bool
) -> types.TextDocumentEdit:
    identifier = types.OptionalVersionedTextDocumentIdentifier(uri=snapshot.uri, version=version)
    plain = _text_edits(session, snapshot, edits)
    if not annotated:
        return types.TextDocumentEdit(identifier, plain)
    return types.TextDocumentEdit(
        identifier, [types.AnnotatedTextEdit(ANNOTATION, edit.range, edit.new_text) for edit in plain]
    )


def _text_edits(session: Session, snapshot: Snapshot, edits: Sequence[Edit]) -> list[types.TextEdit]:
    return [
        types.TextEdit(to_range(snapshot.text, snapshot.lines, edit.span, session.encoding), edit.new_text)
        for edit in edits
    ]


def _diagnostic(session: Session, snapshot: Snapshot, told: types.Diagnostic) -> Diagnostic:
    code = "" if told.code is None else str(told.code)
    return Diagnostic(to_span(snapshot, told.range, session.encoding), told.message, code, told.source or "")


def _diagnostic_of(told: Any) -> Diagnostic | None:
    """Read a diagnostic from an action's data, as ``_offered`` wrote it."""
    if not isinstance(told, dict):
        return None
    span = Span(int(told["start"]), int(told["end"]))
    return Diagnostic(span, str(told["message"]), str(told["code"]), str(told["source"]))


def _offered(
    session: Session, offer: Offer, snapshot: Snapshot, span: Span, diagnostics: list[types.Diagnostic]
) -> types.CodeAction:
    data: dict[str, Any] = {
        "id": offer.id,
        "title": offer.title,
        "uri": snapshot.uri,
        "version": snapshot.version,
        "start": span.start,
        "end": span.end,
    }
    if (mended := offer.diagnostic) is not None:
        told = {"message": mended.message, "code": mended.code, "source": mended.source}
        data["diagnostic"] = {"start": mended.span.start, "end": mended.span.end, **told}
    action = types.CodeAction(title=offer.title, kind=offer.kind, diagnostics=diagnostics or None)
    if offer.hindrance:
        action.disabled = types.CodeActionDisabled(offer.hindrance)
    elif _can_resolve_edits(session):
        action.data = data
    else:
        action.command = types.Command(title=offer.title, command=APPLY_COMMAND, arguments=[data])
    return action


def _shows_reasons(session: Session, context: types.CodeActionContext) -> bool:
    """Whether the user has asked for the list, and the client shows why an action of it cannot be chosen."""
    document = session.client.capabilities.text_document
    actions = document.code_action if document else None
    is_asked = context.trigger_kind != types.CodeActionTriggerKind.Automatic
    return is_asked and bool(actions and actions.disabled_support)


def _can_change_files(session: Session, *, makes: bool) -> bool:
    """Whether the client edits several files in one step, and makes new ones where that is wanted."""
    workspace = session.client.capabilities.workspace
    can = workspace.workspace_edit if workspace else None
    kinds = (can.resource_operations if can else None) or ()
    return bool(can and can.document_changes and (not makes or types.ResourceOperationKind.Create in kinds))


def _can_resolve_edits(session: Session) -> bool:
    document = session.client.capabilities.text_document
    actions = document.code_action if document else None
    support = actions.resolve_support if actions else None
    return bool(actions and actions.data_support and support and "edit" in support.properties)
