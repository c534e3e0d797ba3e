"""``textDocument/codeAction`` and ``codeAction/resolve``: a list without a model, the edit when one is chosen.

A client without resolve support gets a command instead. An edit made for an older version of a document is refused.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.actions.assumption import sentence, titled
from spark_lsp.actions.base import ActionRunner, AvailableAction, BaselineText, Diagnostic, Proposal, Target
from spark_lsp.actions.chat.update_references import UpdateReferences
from spark_lsp.errors import Reason
from spark_lsp.server.convert import range_in_editor, span_of
from spark_lsp.server.guard import guarded
from spark_lsp.server.next_edit_action import next_edit_action, next_edit_request
from spark_lsp.server.session import Session
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.notebook import NotebookText, with_names_of_unparsed
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.trace import Trace
from spark_lsp.workspace import Workspace

APPLY_COMMAND = "spark.applyAction"
ACTION_KINDS = (types.CodeActionKind.Refactor, types.CodeActionKind.QuickFix, types.CodeActionKind.Source)
ANNOTATION = "spark"
USUAL_TOKENS = 256  # what the progress bar counts towards; few actions write more


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What a list of code actions is made from, taken from the session before the first await.

    ``diagnostics`` pairs those of the request, in offsets, with what the client sent.
    """

    runner: ActionRunner
    document: Snapshot
    """What the editor asks for; ``snapshot`` and all offsets are of what it is a part of, a notebook or itself."""
    snapshot: Snapshot
    span: Span
    diagnostics: tuple[tuple[Diagnostic, types.Diagnostic], ...]
    baseline: BaselineText | None
    kinds: tuple[str, ...]
    shows_reasons: bool
    can_resolve: bool


def register(server: LanguageServer, session: Session) -> None:
    """Register the methods."""

    def no_actions() -> list[types.CodeAction]:
        return []

    options = types.CodeActionOptions(code_action_kinds=list(ACTION_KINDS), resolve_provider=True)

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    @guarded(session.client.show_error, no_actions)
    async def code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
        return await whole_list(session, params)

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolved(action: types.CodeAction) -> types.CodeAction:
        guard = guarded(session.client.show_error, lambda: action)
        return await guard(resolve)(session, action)


async def whole_list(session: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    """List what applies, and the edit that follows from the last ones."""
    next_edit = next_edit_request(session, params)
    listed = await code_actions(session, params)
    return [*listed, *await next_edit_action(session, next_edit)]


async def code_actions(session: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    """List what applies, in a thread; no model is asked, whatever triggered the request.

    A list that takes too long is empty, and ``spark/log`` says so.
    """
    request = _list_request(session, params)
    if request is None:
        return []
    trace = Trace("actions", path=str(request.snapshot.path or request.snapshot.uri))
    listed = await session.listing.run(partial(_list, request, time.monotonic() + session.listing.limit_s))
    if listed is None:
        session.log.add(trace.finish(Reason.TIMEOUT))
    return listed or []


def _list_request(session: Session, params: types.CodeActionParams) -> ListRequest | None:
    uri = params.text_document.uri
    document = session.documents.snapshot(uri)
    workspace = session.folders.of(document).workspace if document else None
    if document is None or workspace is None:
        return None
    snapshot = session.documents.whole(document)
    return ListRequest(
        runner=workspace.actions,
        document=document,
        snapshot=snapshot,
        span=span_of(snapshot, uri, params.range, session.encoding),
        diagnostics=tuple(
            (_diagnostic(session, snapshot, uri, diagnostic), diagnostic) for diagnostic in params.context.diagnostics
        ),
        baseline=session.baselines.of(snapshot.uri),
        kinds=tuple(params.context.only or ()),
        shows_reasons=_shows_reasons(session, params.context),
        can_resolve=_can_resolve_edits(session),
    )


def _list(request: ListRequest, deadline_s: float) -> list[types.CodeAction]:
    """Parse the snapshot and list what applies; knows nothing of the session, which goes on meanwhile.

    Ends soon after ``deadline_s`` of the monotonic clock, when nobody waits any more.
    """
    snapshot = _analysed(request.snapshot, request.document.uri)
    target = Target.of(snapshot, request.span, tuple(dict.fromkeys(ours for ours, _ in request.diagnostics)))
    target = replace(target, baseline=request.baseline)
    return [
        _code_action(request, available)
        for available in request.runner.available(
            target, precheck=request.shows_reasons, is_late=lambda: time.monotonic() > deadline_s
        )
        if not request.kinds or any(f"{available.kind}.".startswith(f"{kind}.") for kind in request.kinds)
    ]


async def resolve(session: Session, action: types.CodeAction) -> types.CodeAction:
    """Make the edit of a chosen action; without one the reason is shown to the user."""
    data = action.data if isinstance(action.data, dict) else {}
    action.edit = await propose(session, data)
    annotations = (action.edit.change_annotations if action.edit else None) or {}
    action.title = next((annotation.label for annotation in annotations.values()), action.title)
    return action


async def propose(session: Session, data: dict[str, Any]) -> types.WorkspaceEdit | None:
    """Return the edit for an action's data, or None after a plain message why there is none."""
    document = session.documents.snapshot(str(data.get("uri", "")))
    workspace = session.folders.of(document).workspace if document else None
    if document is None or workspace is None:
        return None
    if document.version != data.get("version"):
        session.client.answer("Spark: the document has changed since the action was offered; please choose it again.")
        return None
    snapshot = session.documents.whole(document)
    earlier, start = session.baselines.of(snapshot.uri), _start_of(snapshot, document)
    diagnostic = _diagnostic_of(data.get("diagnostic"), start)
    span, instruction = _span_in(data, start), str(data.get("instruction", ""))
    snapshot = await asyncio.to_thread(_analysed, snapshot, document.uri)
    target = await asyncio.to_thread(Target.of, snapshot, span, (diagnostic,) if diagnostic else (), instruction)
    return await _proposed(session, workspace, replace(target, baseline=earlier), data)


async def rewrite(session: Session, uri: str, place: types.Range, instruction: str) -> types.WorkspaceEdit | None:
    """Return the edit that an instruction makes of a range, or None after a plain message why there is none."""
    document = session.documents.snapshot(uri)
    workspace = session.folders.of(document).workspace if document else None
    if document is None or workspace is None:
        session.client.answer("Spark: the document is not open, so it cannot be rewritten.")
        return None
    if not instruction.strip():
        session.client.answer("Spark: there is no instruction; say in a few words what to change.")
        return None
    snapshot = session.documents.whole(document)
    span = span_of(snapshot, uri, place, session.encoding)
    target = await asyncio.to_thread(Target.of, snapshot, span, (), instruction)
    return await _proposed(session, workspace, target, {"id": "rewrite", "title": f"Rewrite: {instruction}"})


async def _proposed(
    session: Session, workspace: Workspace, target: Target, data: dict[str, Any]
) -> types.WorkspaceEdit | None:
    """Run an action, with progress; None after a plain message why there is no edit."""
    snapshot = target.snapshot
    async with session.client.progress(str(data.get("title", "Code action"))) as report:
        proposal = await workspace.actions.propose(
            str(data.get("id", "")),
            target,
            lambda tokens, rate: report(tokens, USUAL_TOKENS, f"{tokens} tokens, {rate:.0f}/s"),
            can_confirm=_can_confirm(session),
        )
    session.tell_status()
    if not session.documents.is_current(snapshot):
        session.client.answer("Spark: the document has changed meanwhile; nothing was edited.")
        return None
    if not proposal.edits and not proposal.files:
        session.client.answer(f"Spark: {proposal.message or 'there is nothing to change.'}", types.MessageType.Info)
        return None
    if proposal.files and not _can_change_files(session, makes=any(file.text is None for file in proposal.files)):
        session.client.answer("Spark: this edit is in another file, and the editor cannot take such edits.")
        return None
    if any(session.documents.file(workspace.root, file.path, file.text) is None for file in proposal.files):
        session.client.answer("Spark: another document has changed meanwhile; nothing was edited.")
        return None
    if isinstance(snapshot, NotebookText) and snapshot.cell_edits(proposal.edits) is None:
        session.client.answer(
            "Spark: this edit would change a magic or shell line, a cell that does not parse, or several cells at once."
        )
        return None
    if proposal.id == UpdateReferences.id:
        session.baselines.applied(snapshot, _texts_after(session, workspace.root, snapshot, proposal))
    return workspace_edit(session, workspace.root, snapshot, proposal, str(data.get("title", "")))


def _texts_after(session: Session, root: Path | None, snapshot: Snapshot, proposal: Proposal) -> dict[str, str]:
    """Return the documents that a proposal changes as they are after it, by their URIs."""
    after = {snapshot.uri: apply_edits(snapshot.text, proposal.edits)} if proposal.edits else {}
    for file in proposal.files:
        there = session.documents.file(root, file.path, file.text)
        if there is not None:
            after[there[0].uri] = apply_edits(there[0].text, file.edits)
    return after


def workspace_edit(
    session: Session, root: Path | None, snapshot: Snapshot, proposal: Proposal, title: str
) -> types.WorkspaceEdit:
    """Return a proposal as the client takes it: versioned and annotated where it can."""
    workspace = session.client.capabilities.workspace
    can = workspace.workspace_edit if workspace else None
    if not (can and can.document_changes):
        return types.WorkspaceEdit(changes=_own_edits(session, snapshot, proposal.edits))
    annotated = bool(can.change_annotation_support)
    changes = [
        _document_edit(uri, _version(snapshot, uri), edits, annotated=annotated)
        for uri, edits in _own_edits(session, snapshot, proposal.edits).items()
    ]
    creates: list[types.CreateFile] = []
    for file in proposal.files:
        there = session.documents.file(root, file.path, file.text)
        if there is None:
            continue
        saved, version = there
        if file.text is None:
            creates.append(types.CreateFile(uri=saved.uri, options=types.CreateFileOptions(ignore_if_exists=False)))
        plain = _text_edits(session, saved, file.edits)
        changes.append(_document_edit(saved.uri, version, plain, annotated=annotated))
    note = types.ChangeAnnotation(
        label=titled(title or "Spark", proposal.assumptions),
        needs_confirmation=proposal.asks or bool(proposal.assumptions),
        description=_description(proposal) or None,
    )
    return types.WorkspaceEdit(
        document_changes=[*creates, *changes], change_annotations={ANNOTATION: note} if annotated else None
    )


def _description(proposal: Proposal) -> str:
    """Return what the user should know of an edit: what it rests on, and which tool could not check it."""
    unchecked = [verdict.message for verdict in proposal.verdicts if not verdict.is_known]
    return " ".join(part for part in (sentence(proposal.assumptions).capitalize(), *unchecked) if part)


def _can_confirm(session: Session) -> bool:
    """Whether the client can have the user confirm an edit."""
    workspace = session.client.capabilities.workspace
    can = workspace.workspace_edit if workspace else None
    return bool(can and can.document_changes and can.change_annotation_support)


def _own_edits(session: Session, snapshot: Snapshot, edits: Sequence[Edit]) -> dict[str, list[types.TextEdit]]:
    """Return edits of a document by the URIs that the editor knows: in a notebook, those of its cells."""
    if isinstance(snapshot, NotebookText):
        by_cell = snapshot.cell_edits(edits) or {}
        return {place.uri: _text_edits(session, snapshot, own) for place, own in by_cell.items()}
    return {snapshot.uri: _text_edits(session, snapshot, edits)} if edits else {}


def _version(snapshot: Snapshot, uri: str) -> int:
    place = snapshot.place_of(uri) if isinstance(snapshot, NotebookText) else None
    return place.version if place is not None else snapshot.version


def _document_edit(
    uri: str, version: int | None, plain: list[types.TextEdit], *, annotated: bool
) -> types.TextDocumentEdit:
    identifier = types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=version)
    if not annotated:
        return types.TextDocumentEdit(identifier, plain)
    return types.TextDocumentEdit(
        identifier, [types.AnnotatedTextEdit(ANNOTATION, edit.range, edit.new_text) for edit in plain]
    )


def _text_edits(session: Session, snapshot: Snapshot, edits: Sequence[Edit]) -> list[types.TextEdit]:
    return [types.TextEdit(range_in_editor(snapshot, edit.span, session.encoding), edit.new_text) for edit in edits]


def _diagnostic(session: Session, snapshot: Snapshot, uri: str, diagnostic: types.Diagnostic) -> Diagnostic:
    code = "" if diagnostic.code is None else str(diagnostic.code)
    return Diagnostic(
        span_of(snapshot, uri, diagnostic.range, session.encoding), diagnostic.message, code, diagnostic.source or ""
    )


def _analysed(snapshot: Snapshot, uri: str) -> Snapshot:
    """Return what actions analyse around a document: of other cells that do not parse, the names alone."""
    return with_names_of_unparsed(snapshot, uri) if isinstance(snapshot, NotebookText) else snapshot


def _start_of(snapshot: Snapshot, document: Snapshot) -> int:
    """Return where a document begins in what it is a part of."""
    place = snapshot.place_of(document.uri) if isinstance(snapshot, NotebookText) else None
    return place.span.start if place is not None else 0


def _span_in(value: dict[str, Any], start: int) -> Span:
    """Read a span from an action's data, which counts from the document's begin: other cells may change meanwhile."""
    return Span(int(value["start"]) + start, int(value["end"]) + start)


def _diagnostic_of(value: Any, start: int) -> Diagnostic | None:
    """Read a diagnostic from an action's data, as ``_code_action`` wrote it."""
    if not isinstance(value, dict):
        return None
    return Diagnostic(_span_in(value, start), str(value["message"]), str(value["code"]), str(value["source"]))


def _code_action(request: ListRequest, available: AvailableAction) -> types.CodeAction:
    start = _start_of(request.snapshot, request.document)
    data: dict[str, Any] = {
        "id": available.id,
        "title": available.title,
        "uri": request.document.uri,
        "version": request.document.version,
        "start": request.span.start - start,
        "end": request.span.end - start,
    }
    diagnostics = [theirs for ours, theirs in request.diagnostics if ours == available.diagnostic]
    if (fixed := available.diagnostic) is not None:
        diagnostic_data = {"message": fixed.message, "code": fixed.code, "source": fixed.source}
        data["diagnostic"] = {"start": fixed.span.start - start, "end": fixed.span.end - start, **diagnostic_data}
    action = types.CodeAction(title=available.title, kind=available.kind, diagnostics=diagnostics or None)
    if available.disabled is not None:
        action.disabled = types.CodeActionDisabled(available.disabled.message)
    elif request.can_resolve:
        action.data = data
    else:
        action.command = types.Command(title=available.title, command=APPLY_COMMAND, arguments=[data])
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
