"""``textDocument/completion``: a suggestion as one completion item, for clients without ghost text. Off by default."""

import re

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from spark_lsp.server.guard import guarded
from spark_lsp.server.session import Session
from spark_lsp.server.suggested_imports import import_text_edits
from spark_lsp.server.suggestions import accept_command, complete, range_of
from spark_lsp.text.edit import Span

_WORD = re.compile(r"\w+\Z")


def register(server: LanguageServer, session: Session) -> None:
    """Register the method."""

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())
    @guarded(session.client.show_error, lambda: types.CompletionList(is_incomplete=True, items=[]))
    async def item(params: types.CompletionParams) -> types.CompletionList:
        return await completion(session, params)


async def completion(session: Session, params: types.CompletionParams) -> types.CompletionList:
    """Offer the text over the word before the cursor, if the settings want that."""
    none = types.CompletionList(is_incomplete=True, items=[])
    cursor = session.cursor_at(params.text_document.uri, params.position)
    if cursor is None or not session.folders.of(cursor.document).settings.completion.as_completion_item:
        return none
    answer = await complete(session, params.text_document.uri, cursor, manual=False)
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
        text_edit=types.TextEdit(range_of(session, cursor, span), text),
        filter_text=begun + cursor.line_suffix[: answer.suggestion.replaced] + answer.suggestion.text,
        additional_text_edits=await import_text_edits(
            session, cursor, answer.suggestion.text, answer.suggestion.replaced
        ),
        command=accept_command(answer.suggestion),
    )
    return types.CompletionList(is_incomplete=True, items=[item])
