"""``textDocument/copilotInlineEdit`` and what editors tell of the edits that it gave; the protocol of sidekick.nvim.

Converts, asks ``edits``, converts back. The snapshot is taken before the first await.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.edits.next_edit import Fix, Silence, Situation, with_open_texts
from spark_lsp.edits.next_edits import OfferedEdit
from spark_lsp.errors import Reason
from spark_lsp.index.scan.secrets import is_secret_name
from spark_lsp.index.storage.view import EMPTY_VIEW
from spark_lsp.server.convert import position_in, to_offset, to_range, uri_in
from spark_lsp.server.guard import as_dict, guarded
from spark_lsp.server.quick_fixes import fixes_in
from spark_lsp.server.session import Session
from spark_lsp.server.workspace_folder import WorkspaceFolder
from spark_lsp.text.language import language_of_id, language_of_path
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.trace import Trace
from spark_lsp.workspace import Workspace

ACCEPT_COMMAND = "spark.acceptNextEdit"


@dataclass(frozen=True, slots=True)
class PlacedEdit:
    """A next edit and the document that it is in, with its version where it is open."""

    offer: OfferedEdit
    snapshot: Snapshot
    version: int | None


@dataclass(frozen=True, slots=True)
class InlineEditRequest:
    """What a next edit is looked for with, taken from the session before the first await.

    ``open_texts`` are those of the open documents by their paths; ``texts_before`` and ``changed_since_ns`` as in
    ``Situation``; ``is_stale``: the editor asks for another version of the document.
    """

    snapshot: Snapshot
    folder: WorkspaceFolder
    path: str
    offset: int
    is_stale: bool
    open_texts: Mapping[str, str]
    texts_before: tuple[str, ...]
    changed_since_ns: int
    fixes: tuple[Fix, ...]


def register(server: LanguageServer, session: Session) -> None:
    """Register the methods."""

    @server.feature("textDocument/copilotInlineEdit")
    @guarded(session.client.show_error, lambda: {"edits": [], "reason": Reason.EMPTY})
    async def copilot_inline_edit(params: Any) -> dict[str, Any]:
        return await inline_edit(session, as_dict(params))

    @server.feature("textDocument/didShowInlineEdit")
    def shown(params: Any) -> None:
        did_show(session, as_dict(params))

    @server.feature("textDocument/didDismissInlineEdit")
    def dismissed(params: Any) -> None:
        did_dismiss(session, as_dict(params))


async def inline_edit(session: Session, params: dict[str, Any]) -> dict[str, Any]:
    """Answer with the edit to make next, or with none and the reason."""
    trace = Trace("next_edit")
    version = as_dict(params.get("textDocument")).get("version")
    request = inline_edit_request(session, uri_in(params), position_in(params), version, params.get("fixes"))
    answer = await next_edit_at(session, request)
    if isinstance(answer, str):
        session.log.add(trace.finish(answer))
        return {"edits": [], "reason": answer}
    offer = answer.offer
    trace.note(source=offer.edit.source, remaining=offer.remaining, distance_lines=offer.distance_lines)
    session.log.add(trace.finish(Reason.OK))
    return {"edits": [_as_json(session, answer)], "reason": Reason.OK}


def inline_edit_request(
    session: Session, uri: str, position: types.Position, version: Any = None, fixes: Any = None
) -> InlineEditRequest | None:
    """Take what a request needs from the session; None for a document that is not open.

    ``fixes`` are quick fixes as docs/protocol.md has them, which count only for the version that they come with.
    """
    snapshot = session.documents.snapshot(uri)
    if snapshot is None:
        return None
    baseline = session.baselines.of(snapshot.uri)
    folder = session.folders.of(snapshot)
    return InlineEditRequest(
        snapshot,
        folder,
        _path(folder, snapshot),
        to_offset(snapshot.text, snapshot.lines, position, session.encoding),
        is_stale=version not in {None, snapshot.version},
        open_texts={_path(folder, document): document.text for document in session.documents.all()},
        texts_before=folder.next_edits.texts_before(snapshot.uri, snapshot.text),
        changed_since_ns=baseline.since_ns if baseline else 0,
        fixes=fixes_in(fixes, snapshot, session.encoding) if version == snapshot.version else (),
    )


async def next_edit_at(session: Session, request: InlineEditRequest | None) -> PlacedEdit | str:
    """Return the edit that follows from the last ones, or the reason code why there is none."""
    if request is None:
        return Reason.gate("not_open")
    folder = await session.open_folder_of(request.snapshot.uri)
    is_stale = request.is_stale or folder is not request.folder
    situation = _situation(folder.workspace, request)
    refusal = _refusal(folder) or (Reason.edit("stale") if is_stale else "")
    if refusal or situation is None:
        return refusal or Reason.edit("language")
    now_s = asyncio.get_running_loop().time()
    edit = await folder.next_edits.next_edit(request.snapshot.uri, situation, request.offset, now_s)
    if isinstance(edit, Silence):
        return Reason.edit(edit.name)
    session.tasks.spawn(_prepare(folder), "next edits")
    return _offered(session, request, edit) or Reason.edit("stale")


def _offered(session: Session, request: InlineEditRequest, offer: OfferedEdit) -> PlacedEdit | None:
    """Return an edit with the document that it is in; None where either document has changed meanwhile."""
    snapshot = request.snapshot
    current = session.documents.snapshot(snapshot.uri)
    if current is None or current.version != snapshot.version:
        return None
    if offer.edit.path == request.path:
        return PlacedEdit(offer, snapshot, snapshot.version)
    file = session.documents.file(request.folder.root, offer.edit.path, offer.edit.text)
    return PlacedEdit(offer, *file) if file is not None else None


async def _prepare(folder: WorkspaceFolder) -> None:
    """Find what follows in other files while the user looks at the edit that is shown."""
    await folder.next_edits.prepare()


def changed(session: Session, before: Snapshot, after: Snapshot) -> None:
    """Take in a change, before any await; nothing is kept of secrets, or while paused."""
    folder, name = session.folders.of(after), after.path.name if after.path else ""
    if _refusal(folder) or is_secret_name(name):
        return
    now_s = asyncio.get_running_loop().time()
    folder.next_edits.changed(after.uri, _path(folder, after), before.text, after.text, now_s)


def did_show(session: Session, params: dict[str, Any]) -> None:
    """Count an edit as shown."""
    for folder in session.folders.all():
        folder.next_edits.shown(_edit_id(as_dict(params.get("item"))))


def did_dismiss(session: Session, params: dict[str, Any]) -> None:
    """Count an edit as rejected; the change that it belongs to is not offered again."""
    now_s = asyncio.get_running_loop().time()
    for folder in session.folders.all():
        folder.next_edits.dismissed(_edit_id(as_dict(params.get("item"))), now_s)


async def accept_next_edit(session: Session, arguments: list[Any]) -> None:
    """Count an accepted edit, which the editor has made, and prepare the next."""
    value = as_dict(arguments[0]).get("id") if arguments else None
    for folder in session.folders.all():
        if isinstance(value, int) and folder.next_edits.accepted(value):
            await folder.next_edits.prepare()


def _refusal(folder: WorkspaceFolder) -> str:
    """Return why there are no next edits at all; empty where there may be some."""
    edits = folder.settings.edits
    if not edits.enabled or edits.mode == "off":
        return Reason.DISABLED
    return Reason.PAUSED if folder.workspace and folder.workspace.completer.is_paused else ""


def _situation(workspace: Workspace | None, request: InlineEditRequest) -> Situation | None:
    snapshot = request.snapshot
    language = language_of_id(snapshot.language) or (language_of_path(snapshot.path) if snapshot.path else None)
    if language is None:
        return None
    view = workspace.context.view if workspace else EMPTY_VIEW
    return Situation(
        path=request.path,
        language=language,
        text=snapshot.text,
        texts_before=request.texts_before,
        view=view,
        is_whole=workspace is not None and workspace.context.is_whole,
        read=with_open_texts(view, request.open_texts),
        uri=snapshot.uri,
        file=snapshot.path,
        changed_since_ns=request.changed_since_ns,
        fixes=request.fixes,
    )


def _path(folder: WorkspaceFolder, snapshot: Snapshot) -> str:
    return folder.relative(snapshot) or snapshot.uri


def _as_json(session: Session, placed: PlacedEdit) -> dict[str, Any]:
    edit, snapshot = placed.offer.edit, placed.snapshot
    return {
        "text": edit.new_text,
        "textDocument": {"uri": snapshot.uri, "version": placed.version},
        "range": to_range(snapshot.text, snapshot.lines, edit.span, session.encoding),
        "command": types.Command(title=edit.title, command=ACCEPT_COMMAND, arguments=[{"id": placed.offer.id}]),
        "data": {
            "reason": Reason.OK,
            "source": edit.source,
            "remaining": placed.offer.remaining,
            "distanceLines": placed.offer.distance_lines,
        },
    }


def _edit_id(item: dict[str, Any]) -> int:
    arguments = as_dict(item.get("command")).get("arguments")
    first = as_dict(arguments[0]) if isinstance(arguments, list | tuple) and arguments else {}
    value = first.get("id")
    return value if isinstance(value, int) else 0
