"""Follow the visible suggestion of each document: typed through, accepted, dismissed, or replaced by other text.

Reports to the feedback and the rejection back-off, and remembers rejected texts.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from spark_lsp.completion.answer import Suggestion
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.gate import EditState
from spark_lsp.completion.next_line_prefetch import accepted
from spark_lsp.completion.rejection_backoff import RejectionBackoff
from spark_lsp.completion.reuse import Result, Reuse
from spark_lsp.completion.typed_through import typed_through
from spark_lsp.text.edit import Span

READ_MS: Final = 750.0
"""Milliseconds after which a user who types something else has read the suggestion and rejects it (Cody's limit)."""
REMEMBERED: Final = 50


@dataclass(frozen=True, slots=True)
class _OnScreen:
    cursor: CursorContext
    suggestion: Suggestion
    since_s: float

    def rest(self, cursor: CursorContext) -> str:
        """Return what is left of it once its start was typed."""
        text, replaced = self.suggestion.text, self.suggestion.replaced
        return typed_through(self.cursor.prefix, self.cursor.suffix, text, replaced, cursor)[0]


@dataclass(frozen=True, slots=True)
class AcceptedText:
    """An accepted suggestion: the document that it was accepted in, and where the text is in it now."""

    uri: str
    span: Span
    text: str


class ShownSuggestions:
    """One suggestion for each document. Belongs to one event loop."""

    def __init__(self, reuse: Reuse, feedback: Feedback, *, read_ms: float = READ_MS) -> None:
        self._read_ms = read_ms
        self._reuse = reuse
        self._feedback = feedback
        self._backoff = RejectionBackoff()
        self._on: dict[str, _OnScreen] = {}
        self._offered: OrderedDict[int, _OnScreen] = OrderedDict()
        self._just_accepted: dict[str, str] = {}
        self._many_cursors: set[str] = set()

    def show(self, cursor: CursorContext, suggestion: Suggestion, *, is_candidate: bool = False) -> None:
        """Note that a suggestion went to the editor, or grew there; a candidate is one that the user can turn to."""
        uri = cursor.snapshot.uri
        old = self._on.get(uri)
        since_s = old.since_s if old and old.suggestion.id == suggestion.id else _now_s()
        shown = _OnScreen(cursor, suggestion, since_s)
        self._offered[suggestion.id] = shown
        while len(self._offered) > REMEMBERED:
            self._offered.popitem(last=False)
        if not is_candidate:
            self._on[uri] = shown

    def asked(self, cursor: CursorContext) -> EditState:
        """Notice a request; return what the user has just done here.

        Beside a menu only what continues its item is shown, and only while that is selected.
        """
        uri = cursor.snapshot.uri
        shown = self._on.get(uri)
        if shown is not None and (shown.cursor.selected or cursor.selected or cursor.ignored_reason):
            rest = shown.rest(cursor)
            if not rest or cursor.renames(rest) or cursor.ignored_reason:
                del self._on[uri]
        is_accepted = self._just_accepted.get(uri) == cursor.prefix
        return EditState(is_accepted, uri in self._many_cursors, self._backoff.streak(uri, _now_s()))

    def changed(self, cursor: CursorContext, cursors: int) -> None:
        """Notice a change, and what it says of the suggestion on the screen."""
        uri = cursor.snapshot.uri
        if (
            self._just_accepted.get(uri) != cursor.prefix
        ):  # some editors tell of the change after they tell of accepting
            self._just_accepted.pop(uri, None)
        self._many_cursors.discard(uri)
        if cursors > 1:
            self._many_cursors.add(uri)
        self._feedback.edited(uri, cursor.snapshot.text)
        shown = self._on.get(uri)
        if shown is None or shown.rest(cursor):
            return
        del self._on[uri]
        after = accepted(shown.cursor, shown.suggestion.text, shown.suggestion.replaced)
        if after.snapshot.text == cursor.snapshot.text:
            self._backoff.accepted(uri)
            return  # all of it is there: taken, as the command will tell, or typed
        if shown.cursor.selected and not cursor.prefix.startswith(shown.cursor.prefix):
            return  # the item was the menu's guess; that it was not taken says nothing of what continues it
        self._reject(shown, is_read=False)

    def accepted(self, suggestion_id: int) -> AcceptedText | None:
        """Record that a suggestion was accepted whole, and return it; how much of it is kept is checked later."""
        shown = self._offered.pop(suggestion_id, None)
        if shown is None:
            return None
        uri = shown.cursor.snapshot.uri
        self._on.pop(uri, None)
        self._backoff.accepted(uri)
        self._feedback.accepted(suggestion_id)
        after = accepted(shown.cursor, shown.suggestion.text, shown.suggestion.replaced)
        self._feedback.watch(suggestion_id, uri, shown.cursor.offset, shown.suggestion.text, after.snapshot.text)
        if len(shown.suggestion.text.splitlines()) < 2:
            self._just_accepted[uri] = after.prefix
        return AcceptedText(uri, Span(shown.cursor.offset, after.offset), shown.suggestion.text)

    def partly_accepted(self, suggestion_id: int, characters: int) -> None:
        """Note how much of a suggestion was taken so far, the item of a menu that it continues included."""
        shown = self._offered.get(suggestion_id)
        if shown and shown.cursor.selected:
            characters -= len(shown.cursor.selected.text)
        if characters <= 0:
            return
        self._feedback.partly_accepted(suggestion_id, characters)
        if shown:
            self._backoff.accepted(shown.cursor.snapshot.uri)

    def dismissed(self, suggestion_id: int) -> CursorContext | None:
        """Record that the user dismissed a suggestion; return its place, None for an unknown one."""
        dismissed = self._offered.pop(suggestion_id, None)
        if dismissed is None:
            return None
        shown = self._on.get(dismissed.cursor.snapshot.uri)
        if shown and shown.suggestion.id == suggestion_id:
            del self._on[dismissed.cursor.snapshot.uri]
        self._reject(dismissed, is_read=True)
        return dismissed.cursor

    def forget(self, uri: str) -> None:
        """Drop what belongs to a document that was closed."""
        self._on.pop(uri, None)
        self._just_accepted.pop(uri, None)
        self._many_cursors.discard(uri)
        self._backoff.forget(uri)
        self._feedback.closed(uri)

    def _reject(self, shown: _OnScreen, *, is_read: bool) -> None:
        """Count a rejection; one of a suggestion that was read is remembered, and makes the next ones pickier."""
        seen_ms = (_now_s() - shown.since_s) * 1000
        is_news = self._feedback.rejected(shown.suggestion.id, seen_ms)
        if not (is_read or seen_ms >= self._read_ms):
            return
        cursor, suggestion = shown.cursor, shown.suggestion
        uri = cursor.snapshot.uri
        self._reuse.reject(Result(uri, cursor.prefix, cursor.suffix, suggestion.text, suggestion.replaced, ""))
        if is_news:
            self._backoff.rejected(uri, _now_s())


def _now_s() -> float:
    return asyncio.get_running_loop().time()
