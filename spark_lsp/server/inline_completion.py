"""``textDocument/inlineCompletion`` and ``spark/inlineCompletionStream``: ghost text, whole or as it is written.

Converts, calls the completer, converts back. The snapshot is taken before the first await.
"""

from contextlib import aclosing
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.completion.answer import CompletionAnswer, Suggestion
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.selected_item import behind_item
from spark_lsp.errors import Reason
from spark_lsp.server.convert import offset_of, position_in, selected_in, uri_in
from spark_lsp.server.guard import as_dict, guarded
from spark_lsp.server.session import Session
from spark_lsp.server.suggestions import accept_command, complete, range_of

CANDIDATES_BY_HAND = 3


def register(server: LanguageServer, session: Session) -> None:
    """Register the methods."""

    def no_items() -> types.InlineCompletionList:
        return types.InlineCompletionList(items=[])

    # Without the options object pygls advertises nothing and no editor would ever ask.
    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    @guarded(session.client.show_error, no_items)
    async def inline(params: types.InlineCompletionParams) -> types.InlineCompletionList:
        return await inline_completion(session, params)

    @server.feature("spark/inlineCompletionStream")
    @guarded(session.client.show_error, lambda: {"items": []})
    async def streamed(params: Any) -> dict[str, Any]:
        return await stream(session, as_dict(params))


def _asked(
    session: Session, uri: str, position: types.Position, selected: types.SelectedCompletionInfo | None
) -> CursorContext | None:
    """Return the cursor that is asked for: behind the item that is chosen in the completion menu, if one is."""
    cursor = session.cursor_at(uri, position)
    if cursor is None or selected is None:
        return cursor
    place = selected.range
    start, end = (offset_of(cursor.snapshot, uri, edge, session.encoding) for edge in (place.start, place.end))
    return behind_item(cursor, start, end, selected.text)


async def inline_completion(session: Session, params: types.InlineCompletionParams) -> types.InlineCompletionList:
    """Answer once, by the deadline."""
    selected = params.context.selected_completion_info
    cursor = _asked(session, params.text_document.uri, params.position, selected)
    manual = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    answer = await complete(session, params.text_document.uri, cursor, manual=manual, candidates=CANDIDATES_BY_HAND)
    return types.InlineCompletionList(items=_items(session, cursor, answer))


async def stream(session: Session, params: dict[str, Any]) -> dict[str, Any]:
    """Send cumulative partial results to ``partialResultToken``; the result equals the last of them."""
    uri = uri_in(params)
    context = as_dict(params.get("context"))
    cursor = _asked(session, uri, position_in(params), selected_in(context))
    manual = context.get("triggerKind") == types.InlineCompletionTriggerKind.Invoked.value
    token = params.get("partialResultToken")
    folder = await session.open_folder_of(uri)
    workspace = folder.workspace
    if cursor is None or workspace is None:
        session.note_refusal("completion.stream", uri)
        return {"items": []}
    workspace.cursor_prefetch.stop()
    last: list[types.InlineCompletionItem] = []
    sequence = 0
    async with aclosing(workspace.completer.stream(cursor, manual=manual, candidates=CANDIDATES_BY_HAND)) as answers:
        async for answer in answers:
            items = _items(session, cursor, answer)
            if token is not None and items and items != last:
                sequence += 1
                value = {"sequence": sequence, "items": items}
                session.client.notify(types.PROGRESS, types.ProgressParams(token=token, value=value))
            last = items
            if answer.reason == Reason.ENGINE_FAILED:
                folder.engine_lost()
    workspace.cursor_prefetch.rest_at(cursor)
    session.tell_status()
    return {"items": last}


def _items(
    session: Session, cursor: CursorContext | None, answer: CompletionAnswer | None
) -> list[types.InlineCompletionItem]:
    if cursor is None or answer is None or answer.suggestion is None:
        return []
    session.model_offers.shown()
    return [_item(session, cursor, suggestion) for suggestion in (answer.suggestion, *answer.others)]


def _item(session: Session, cursor: CursorContext, suggestion: Suggestion) -> types.InlineCompletionItem:
    edit = cursor.edit(suggestion.text, suggestion.replaced)
    place = range_of(session, cursor, edit.span)
    return types.InlineCompletionItem(edit.new_text, range=place, command=accept_command(suggestion))
