"""``textDocument/didShowCompletion``, ``didPartiallyAcceptCompletion`` and ``didDismissCompletion``.

Other AI servers have the first two; the last is our own.
"""

from typing import Any

from pygls.lsp.server import LanguageServer

from spark_lsp.server.guard import as_dict
from spark_lsp.server.session import Session


def register(server: LanguageServer, session: Session) -> None:
    """Register the methods."""

    @server.feature("textDocument/didShowCompletion")
    def shown(params: Any) -> None:
        did_show(session, as_dict(params))

    @server.feature("textDocument/didPartiallyAcceptCompletion")
    def partially_accepted(params: Any) -> None:
        did_partially_accept(session, as_dict(params))

    @server.feature("textDocument/didDismissCompletion")
    def dismissed(params: Any) -> None:
        did_dismiss(session, as_dict(params))


def did_show(session: Session, params: dict[str, Any]) -> None:
    """Count a suggestion as shown: by the one folder that knows its number."""
    suggestion_id = _suggestion_id(params)
    for workspace in session.folders.workspaces():
        workspace.completer.feedback.shown(suggestion_id)


def did_partially_accept(session: Session, params: dict[str, Any]) -> None:
    """Count what was taken; ``acceptedLength`` is in UTF-16 units from the start of the text."""
    text = str(as_dict(params.get("item")).get("insertText", ""))
    units = params.get("acceptedLength")
    suggestion_id = _suggestion_id(params)
    if not isinstance(units, int):
        return
    taken = text.encode("utf-16-le", "surrogatepass")[: units * 2].decode("utf-16-le", "ignore")
    for workspace in session.folders.workspaces():
        workspace.completer.shown_suggestions.partly_accepted(suggestion_id, len(taken))


def did_dismiss(session: Session, params: dict[str, Any]) -> None:
    """Count a suggestion as rejected; it is not offered at its place again."""
    suggestion_id = _suggestion_id(params)
    for workspace in session.folders.workspaces():
        workspace.completer.dismissed(suggestion_id)


def _suggestion_id(params: dict[str, Any]) -> int:
    command = as_dict(as_dict(params.get("item")).get("command"))
    arguments = command.get("arguments")
    first = as_dict(arguments[0]) if isinstance(arguments, list | tuple) and arguments else {}
    value = first.get("id")
    return value if isinstance(value, int) else 0
