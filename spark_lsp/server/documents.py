"""``textDocument/didOpen``, ``didChange``, ``didSave`` and ``didClose``: each makes a new Snapshot.

Asks no model and reads no file.
"""

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.completion.gate import MAX_DOCUMENT_CHARACTERS
from spark_lsp.server import copilot_inline_edit
from spark_lsp.server.convert import changed, path_of, to_offset
from spark_lsp.server.session import Session
from spark_lsp.text.edit import Span
from spark_lsp.text.language import language_of_path
from spark_lsp.text.snapshot import Snapshot

_PAIRS = frozenset({"()", "[]", "{}", '""', "''", "``"})


def register(server: LanguageServer, session: Session) -> None:
    """Register the methods."""

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        did_open(session, params)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def edited(params: types.DidChangeTextDocumentParams) -> None:
        did_change(session, params)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        did_save(session, params)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        did_close(session, params)


def did_open(session: Session, params: types.DidOpenTextDocumentParams) -> None:
    """Take a document in."""
    item = params.text_document
    if len(item.text) > MAX_DOCUMENT_CHARACTERS:
        session.documents.refuse(item.uri)
        return
    path = None if session.documents.notebooks.has(item.uri) else path_of(item.uri)
    known = language_of_path(path) if path else None
    language = item.language_id or (known.name if known else "")
    snapshot = Snapshot(item.uri, path, item.version, language, item.text)
    session.put(snapshot)
    session.baselines.opened(snapshot)
    session.folders.opened(snapshot)
    session.model_offers.look_soon()


def did_change(session: Session, params: types.DidChangeTextDocumentParams) -> None:
    """Apply changes; running work that no longer fits is dropped. Changes to an unknown document are ignored."""
    old = session.documents.snapshot(params.text_document.uri)
    if old is None:
        return
    text = changed(old.text, list(params.content_changes), session.encoding)
    new = Snapshot(old.uri, old.path, params.text_document.version, old.language, text)
    session.put(new)
    session.baselines.changed(new)
    copilot_inline_edit.changed(session, old, new)
    span = _last_edit(session, new, list(params.content_changes))
    session.folders.edited(new, span)
    session.model_offers.typed()
    folder = session.folders.of(new)
    session.folders.use(folder)
    workspace = folder.workspace
    if workspace:
        workspace.cursor_prefetch.stop()
    if workspace and span:
        cursors = _cursors(list(params.content_changes))
        between = span.text(new.text) in _PAIRS  # typed is the first, and the editor puts the second
        cursor = session.documents.cursor(new, span.end - between)
        workspace.completer.changed(cursor, cursors=cursors)


def did_save(session: Session, params: types.DidSaveTextDocumentParams) -> None:
    """Bring the saved file's item in the index up to date."""
    session.model_offers.look_soon()
    snapshot = session.documents.snapshot(params.text_document.uri)
    if snapshot:
        session.folders.edited(snapshot, None)


def did_close(session: Session, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document; its text on disk counts again."""
    snapshot = session.drop(params.text_document.uri)
    session.baselines.closed(params.text_document.uri)
    if snapshot is None:
        return
    session.folders.edited(snapshot, None)


def _cursors(changes: list[types.TextDocumentContentChangeEvent]) -> int:
    """Return at how many places the same text was typed at once, as several cursors do."""
    typed = [
        change.text
        for change in changes
        if isinstance(change, types.TextDocumentContentChangePartial) and change.text and "\n" not in change.text
    ]
    return len(typed) if len(typed) == len(changes) and len(set(typed)) == 1 else 1


def _last_edit(
    session: Session, snapshot: Snapshot, changes: list[types.TextDocumentContentChangeEvent]
) -> Span | None:
    """Return where the last change stands in the new text; its end is where the cursor most likely is."""
    last = changes[-1] if changes else None
    if not isinstance(last, types.TextDocumentContentChangePartial):
        return None
    start = to_offset(snapshot.text, snapshot.lines, last.range.start, session.encoding)
    return Span(start, min(len(snapshot.text), start + len(last.text)))
