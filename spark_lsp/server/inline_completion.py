"""``textDocument/inlineCompletion``, ``spark/inlineCompletionStream`` and the fallback ``textDocument/completion``.

Converts, calls the completer, converts back. The snapshot is taken before the first await.
"""

import re
from contextlib import aclosing
from typing import Any

from lsprotocol import types

from spark_lsp.completion.answer import Answer, Suggestion
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.selected_item import behind_item
from spark_lsp.errors import Reason
from spark_lsp.server.convert import offset_of, position_in, range_in_editor, selected_in, to_offset, uri_in
from spark_lsp.server.guard import as_dict
from spark_lsp.server.session import Session
from spark_lsp.text.edit import Span

ACCEPT_COMMAND = "spark.acceptCompletion"
CANDIDATES_BY_HAND = 3
_WORD = re.compile(r"\w+\Z")


def cursor_at(session: Session, uri: str, position: types.Position) -> CursorContext | None:
    """Return the cursor at a position of an open document; None for a document never opened."""
    snapshot = session.documents.snapshot(uri)
    if snapshot is None:
        return None
    offset = to_offset(snapshot.text, snapshot.lines, position, session.encoding)
    return session.documents.cursor(snapshot, offset)


def _asked(
    session: Session, uri: str, position: types.Position, selected: types.SelectedCompletionInfo | None
) -> CursorContext | None:
    """Return the cursor that is asked for: behind the item that is chosen in the completion menu, if one is."""
    cursor = cursor_at(session, uri, position)
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
    answer = await _complete(session, params.text_document.uri, cursor, manual=manual, candidates=CANDIDATES_BY_HAND)
    return types.InlineCompletionList(items=_items(session, cursor, answer))


async def stream(session: Session, params: dict[str, Any]) -> dict[str, Any]:
    """Send cumulative partial results to ``partialResultToken``; the result equals the last of them."""
    uri = uri_in(params)
    context = as_dict(params.get("context"))
    cursor = _asked(session, uri, position_in(params), selected_in(context))
    manual = context.get("triggerKind") == types.InlineCompletionTriggerKind.Invoked.value
    token = params.get("partialResultToken")
    await session.wait_until_open()
    if cursor is None or session.workspace is None:
        session.note_refusal("completion.stream", uri)
        return {"items": []}
    session.workspace.cursor_prefetch.stop()
    last: list[types.InlineCompletionItem] = []
    sequence = 0
    async with aclosing(
        session.workspace.completer.stream(cursor, manual=manual, candidates=CANDIDATES_BY_HAND)
    ) as answers:
        async for answer in answers:
            items = _items(session, cursor, answer)
            if token is not None and items and items != last:
                sequence += 1
                value = {"sequence": sequence, "items": items}
                session.client.notify(types.PROGRESS, types.ProgressParams(token=token, value=value))
            last = items
            if answer.reason == Reason.ENGINE_FAILED:
                session.engine_lost()
    session.workspace.cursor_prefetch.rest_at(cursor)
    session.tell_status()
    return {"items": last}


async def completion(session: Session, params: types.CompletionParams) -> types.CompletionList:
    """Offer the text as one completion item, for clients without ghost text. Off by default."""
    none = types.CompletionList(is_incomplete=True, items=[])
    cursor = cursor_at(session, params.text_document.uri, params.position)
    if cursor is None or not session.settings.completion.as_completion_item:
        return none
    answer = await _complete(session, params.text_document.uri, cursor, manual=False)
    if answer is None or answer.suggestion is None:
        return none
    session.model_offers.shown()
    # Menus show what begins like the word before the cursor and insert over that word, so the item has it too.
    word = _WORD.search(cursor.line_prefix)
    begun = word.group() if word else ""
    text = begun + answer.suggestion.text
    span = Span(cursor.offset - len(begun), cursor.offset + answer.suggestion.replaced)
    item = types.CompletionItem(
        label=text.strip().splitlines()[0][:80],
        kind=types.CompletionItemKind.Text,
        detail="Spark",
        sort_text="~spark",
        text_edit=types.TextEdit(_range(session, cursor, span), text),
        filter_text=begun + cursor.line_suffix[: answer.suggestion.replaced] + answer.suggestion.text,
        command=_accept(answer.suggestion),
    )
    return types.CompletionList(is_incomplete=True, items=[item])


async def _complete(
    session: Session, uri: str, cursor: CursorContext | None, *, manual: bool, candidates: int = 1
) -> Answer | None:
    await session.wait_until_open()
    if cursor is None or session.workspace is None:
        session.note_refusal("completion", uri)
        return None
    session.workspace.cursor_prefetch.stop()
    try:
        answer = await session.workspace.completer.complete(cursor, manual=manual, candidates=candidates)
    finally:
        session.tell_status()
    if answer.reason == Reason.ENGINE_FAILED:
        session.engine_lost()
    session.workspace.cursor_prefetch.rest_at(cursor)
    return answer


def _items(session: Session, cursor: CursorContext | None, answer: Answer | None) -> list[types.InlineCompletionItem]:
    if cursor is None or answer is None or answer.suggestion is None:
        return []
    session.model_offers.shown()
    return [_item(session, cursor, suggestion) for suggestion in (answer.suggestion, *answer.others)]


def _item(session: Session, cursor: CursorContext, suggestion: Suggestion) -> types.InlineCompletionItem:
    edit = cursor.edit(suggestion.text, suggestion.replaced)
    place = _range(session, cursor, edit.span)
    return types.InlineCompletionItem(edit.new_text, range=place, command=_accept(suggestion))


def _range(session: Session, cursor: CursorContext, span: Span) -> types.Range:
    return range_in_editor(cursor.document, span, session.encoding)


def _accept(suggestion: Suggestion) -> types.Command:
    return types.Command(title="Accepted", command=ACCEPT_COMMAND, arguments=[{"id": suggestion.id}])
