"""Handles ``didShowCompletion``, ``didPartiallyAcceptCompletion`` and ``didFocus``, which other AI servers also have.

``didDismissCompletion`` is our own.
"""

import asyncio
from typing import Any

from spark_lsp.server.convert import position_in, to_offset, uri_in
from spark_lsp.server.guard import as_dict
from spark_lsp.server.session import Session


def did_show(session: Session, params: dict[str, Any]) -> None:
    """Count a suggestion as shown."""
    suggestion_id = _suggestion_id(params)
    if session.workspace and suggestion_id:
        session.workspace.completer.feedback.shown(suggestion_id)


def did_partially_accept(session: Session, params: dict[str, Any]) -> None:
    """Count what was taken; ``acceptedLength`` is in UTF-16 units from the start of the text."""
    text = str(as_dict(params.get("item")).get("insertText", ""))
    units = params.get("acceptedLength")
    suggestion_id = _suggestion_id(params)
    if session.workspace and suggestion_id and isinstance(units, int):
        taken = text.encode("utf-16-le", "surrogatepass")[: units * 2].decode("utf-16-le", "ignore")
        session.workspace.completer.shown_suggestions.partly_accepted(suggestion_id, len(taken))


def did_dismiss(session: Session, params: dict[str, Any]) -> None:
    """Count a suggestion as rejected; it is not offered at its place again."""
    suggestion_id = _suggestion_id(params)
    if session.workspace and suggestion_id:
        session.workspace.completer.dismissed(suggestion_id)


def did_focus(session: Session, params: dict[str, Any]) -> None:
    """Remember which document the user looks at; where the cursor's ``position`` is told, the model reads around it."""
    session.model_offers.look_soon()
    snapshot = session.documents.snapshot(uri_in(params))
    if snapshot is None or session.workspace is None:
        return
    path = session.documents.relative(snapshot)
    if path:
        session.workspace.recent.viewed(path, asyncio.get_running_loop().time())
    if isinstance(params.get("position"), dict):
        offset = to_offset(snapshot.text, snapshot.lines, position_in(params), session.encoding)
        session.workspace.cursor_prefetch.look(session.documents.cursor(snapshot, offset))


def _suggestion_id(params: dict[str, Any]) -> int:
    command = as_dict(as_dict(params.get("item")).get("command"))
    arguments = command.get("arguments")
    first = as_dict(arguments[0]) if isinstance(arguments, list | tuple) and arguments else {}
    value = first.get("id")
    return value if isinstance(value, int) else 0
