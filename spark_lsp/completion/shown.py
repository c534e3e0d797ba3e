"""What is on the screen of each document, and what becomes of it: typed through, accepted, dismissed, typed over.

Tells the feedback and the rejection back-off, remembers what was rejected, and knows what the user has just done.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.gate import Moment
from spark_lsp.completion.next_line import accepted
from spark_lsp.completion.rejection_backoff import RejectionBackoff, Streak
from spark_lsp.completion.reuse import Result, Reuse, typed_through

READ_MS: Final = 750.0
"""Whoever types something else after so long has read the suggestion and does not want it (Cody's limit)."""
REMEMBERED: Final = 50


@dataclass(frozen=True, slots=True)
class _Screen:
    cursor: CursorContext
    id: int
    text: str
    replaced: int
    since_s: float

    def rest(self, cursor: CursorContext) -> str:
        """Return what is left of it once its start was typed."""
        return typed_through(self.cursor.prefix, self.cursor.suffix, self.text, self.replaced, cursor)[0]


class Screens:
    """One suggestion for each document. Belongs to one event loop."""

    def __init__(self, reuse: Reuse, feedback: Feedback, *, read_ms: float = READ_MS) -> None:
        self._read_ms = read_ms
        self._reuse = reuse
        self._feedback = feedback
        self._restraint = RejectionBackoff()
        self._on: dict[str, _Screen] = {}
        self._offered: OrderedDict[int, _Screen] = OrderedDict()
        self._just_accepted: dict[str, str] = {}
        self._many_cursors: set[str] = set()

    def show(self, cursor: CursorContext, suggestion_id: int, text: str, replaced: int) -> None:
        """Note that a suggestion went to the editor, or grew there."""
        self.offer(cursor, suggestion_id, text, replaced)
        self._on[cursor.snapshot.uri] = self._offered[suggestion_id]

    def offer(self, cursor: CursorContext, suggestion_id: int, text: str, replaced: int) -> None:
        """Note a candidate that the user can turn to."""
        old = self._on.get(cursor.snapshot.uri)
        since_s = old.since_s if old and old.id == suggestion_id else _now_s()
        self._offered[suggestion_id] = _Screen(cursor, suggestion_id, text, replaced, since_s)
        while len(self._offered) > REMEMBERED:
            self._offered.popitem(last=False)

    def asked(self, cursor: CursorContext) -> None:
        """Notice a question: beside a menu stands only what continues its entry, and that only while it is chosen."""
        uri = cursor.snapshot.uri
        screen = self._on.get(uri)
        if screen is None or not (screen.cursor.entry or cursor.entry or cursor.ignored_reason):
            return
        rest = screen.rest(cursor)
        if not rest or cursor.renames(rest) or cursor.ignored_reason:
            del self._on[uri]

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
        screen = self._on.get(uri)
        if screen is None or screen.rest(cursor):
            return
        del self._on[uri]
        after = accepted(screen.cursor, screen.text, screen.replaced)
        if after.snapshot.text == cursor.snapshot.text:
            self._restraint.accepted(uri)
            return  # all of it is there: taken, as the command will tell, or typed
        if screen.cursor.entry and not cursor.prefix.startswith(screen.cursor.prefix):
            return  # the entry was the menu's guess; that it was not taken says nothing of what continues it
        self._reject(screen, is_read=False)

    def accepted(self, suggestion_id: int) -> None:
        """Note that a suggestion was taken whole; what is kept of it is looked at later."""
        screen = self._offered.pop(suggestion_id, None)
        if screen is None:
            return
        uri = screen.cursor.snapshot.uri
        self._on.pop(uri, None)
        self._restraint.accepted(uri)
        self._feedback.accepted(suggestion_id)
        after = accepted(screen.cursor, screen.text, screen.replaced)
        self._feedback.watch(suggestion_id, uri, screen.cursor.offset, screen.text, after.snapshot.text)
        if "\n" not in screen.text:
            self._just_accepted[uri] = after.prefix

    def partly_accepted(self, suggestion_id: int, characters: int) -> None:
        """Note how much of a suggestion was taken so far, the entry of a menu that it continues included."""
        screen = self._offered.get(suggestion_id)
        if screen and screen.cursor.entry:
            characters -= len(screen.cursor.entry.text)
        if characters <= 0:
            return
        self._feedback.partly_accepted(suggestion_id, characters)
        if screen:
            self._restraint.accepted(screen.cursor.snapshot.uri)

    def dismissed(self, suggestion_id: int) -> CursorContext | None:
        """Note that the user took a suggestion away; return where it stood, None for one that nobody knows."""
        screen = self._offered.pop(suggestion_id, None)
        if screen is None:
            return None
        shown = self._on.get(screen.cursor.snapshot.uri)
        if shown and shown.id == suggestion_id:
            del self._on[screen.cursor.snapshot.uri]
        self._reject(screen, is_read=True)
        return screen.cursor

    def streak(self, uri: str) -> Streak:
        """Return how many suggestions of a document were rejected in a row by now."""
        return self._restraint.streak(uri, _now_s())

    def moment(self, cursor: CursorContext) -> Moment:
        """Return what the user has just done here."""
        uri = cursor.snapshot.uri
        return Moment(self._just_accepted.get(uri) == cursor.prefix, uri in self._many_cursors)

    def forget(self, uri: str) -> None:
        """Drop what belongs to a document that was closed."""
        self._on.pop(uri, None)
        self._just_accepted.pop(uri, None)
        self._many_cursors.discard(uri)
        self._restraint.forget(uri)
        self._feedback.closed(uri)

    def _reject(self, screen: _Screen, *, is_read: bool) -> None:
        """Count a rejection; one of a suggestion that was read is remembered, and makes the next ones pickier."""
        seen_ms = (_now_s() - screen.since_s) * 1000
        is_news = self._feedback.rejected(screen.id, seen_ms)
        if not (is_read or seen_ms >= self._read_ms):
            return
        cursor = screen.cursor
        uri = cursor.snapshot.uri
        self._reuse.reject(Result(uri, cursor.prefix, cursor.suffix, screen.text, screen.replaced, ""))
        if is_news:
            self._restraint.rejected(uri, _now_s())


def _now_s() -> float:
    return asyncio.get_running_loop().time()
