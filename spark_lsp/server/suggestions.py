"""What the features that show suggestions share: asking the completer, and a suggestion's range and command."""

from lsprotocol import types

from spark_lsp.completion.answer import CompletionAnswer, Suggestion
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.errors import Reason
from spark_lsp.server.convert import range_in_editor
from spark_lsp.server.session import Session
from spark_lsp.text.edit import Span

ACCEPT_COMMAND = "spark.acceptCompletion"


async def complete(
    session: Session, uri: str, cursor: CursorContext | None, *, manual: bool, candidates: int = 1
) -> CompletionAnswer | None:
    """Answer a request once, by the deadline; None without an open document or workspace, which the log says."""
    folder = await session.open_folder_of(uri)
    workspace = folder.workspace
    if cursor is None or workspace is None:
        session.note_refusal("completion", uri)
        return None
    workspace.cursor_prefetch.stop()
    try:
        answer = await workspace.completer.complete(cursor, manual=manual, candidates=candidates)
    finally:
        session.tell_status()
    if answer.reason == Reason.ENGINE_FAILED:
        folder.engine_lost()
    workspace.cursor_prefetch.rest_at(cursor)
    return answer


def range_of(session: Session, cursor: CursorContext, span: Span) -> types.Range:
    """Return the range of a part of the cursor's document, in the client's encoding."""
    return range_in_editor(cursor.document, span, session.encoding)


def accept_command(suggestion: Suggestion) -> types.Command:
    """Return the command by which the editor says that a suggestion was accepted."""
    return types.Command(title="Accepted", command=ACCEPT_COMMAND, arguments=[{"id": suggestion.id}])
