"""``textDocument/didFocus``, which other AI servers also have: which document the user looks at, and where."""

from typing import Any

from pygls.lsp.server import LanguageServer

from spark_lsp.server.convert import position_in, to_offset, uri_in
from spark_lsp.server.guard import as_dict
from spark_lsp.server.session import Session


def register(server: LanguageServer, session: Session) -> None:
    """Register the method."""

    @server.feature("textDocument/didFocus")
    def did_focus(params: Any) -> None:
        _did_focus(session, as_dict(params))


def _did_focus(session: Session, params: dict[str, Any]) -> None:
    """Remember the document; where the cursor's ``position`` is sent, the model reads around it."""
    session.model_offers.look_soon()
    snapshot = session.documents.snapshot(uri_in(params))
    if snapshot is None:
        return
    folder = session.folders.of(snapshot)
    session.folders.use(folder)
    folder.viewed(snapshot)
    if folder.workspace and isinstance(params.get("position"), dict):
        offset = to_offset(snapshot.text, snapshot.lines, position_in(params), session.encoding)
        folder.workspace.cursor_prefetch.look(session.documents.cursor(snapshot, offset))
