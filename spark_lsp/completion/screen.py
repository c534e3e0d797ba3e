"""What is on the screen of each document, and what becomes of it: typed through, accepted, rejected.

Tells the feedback, remembers what was rejected, and knows what the user has just done.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from spark_lsp.completion.feedback import Feedback
from spark_lsp.completion.following import accepted
from spark_lsp.completion.gate import Moment
from spark_lsp.completion.hole import Hole
from spark_lsp.completion.reuse import Result, Reuse, typed_through

READ_MS: Final = 750.0
"""Whoever types something else after so long has read the suggestion and does not want it (Cody's limit)."""
REMEMBERED: Final = 50


@dataclass(frozen=True, slots=True)
class _Screen:
    hole: Hole
    id: int
    text: str
    replaced: int
    since_s: float


class Screens:
    """One suggestion for each document. Belongs to one event loop."""

    def __init__(self, reuse: Reuse, feedback: Feedback, *, read_ms: float = READ_MS) -> None:
        self._read_ms = read_ms
        self._reuse = reuse
        self._feedback = feedback
        self._on: dict[str, _Screen] = {}
        self._offered: OrderedDict[int, _Screen] = OrderedDict()
        self._just_accepted: dict[str, str] = {}
        self._many_cursors: set[str] = set()

    def show(self, hole: Hole, suggestion_id: int, text: str, replaced: int) -> None:
        """Note that a suggestion went to the editor."""
        old = self._on.get(hole.snapshot.uri)
        now_s = asyncio.get_running_loop().time()
        since_s = old.since_s if old and old.id == suggestion_id else now_s
        screen = _Screen(hole, suggestion_id, text, replaced, since_s)
        self._on[hole.snapshot.uri] = screen
        self._offered[suggestion_id] = screen
        while len(self._offered) > REMEMBERED:
            self._offered.popitem(last=False)

    def changed(self, hole: Hole, cursors: int) -> None:
        """Notice a change, and what it says of the suggestion on the screen."""
        uri = hole.snapshot.uri
        if self._just_accepted.get(uri) != hole.prefix:  # some editors tell of the change after they tell of accepting
            self._just_accepted.pop(uri, None)
        self._many_cursors.discard(uri)
        if cursors > 1:
            self._many_cursors.add(uri)
        self._feedback.edited(uri, hole.snapshot.text)
        screen = self._on.get(uri)
        if screen is None or typed_through(screen.hole.prefix, screen.hole.suffix, screen.text, screen.replaced, hole):
            return
        del self._on[uri]
        after = accepted(screen.hole, screen.text, screen.replaced)
        if after.snapshot.text == hole.snapshot.text:
            return  # all of it is there: taken, as the command will tell, or typed
        seen_ms = (asyncio.get_running_loop().time() - screen.since_s) * 1000
        self._feedback.rejected(screen.id, seen_ms)
        if seen_ms >= self._read_ms:
            before = screen.hole
            self._reuse.reject(Result(uri, before.prefix, before.suffix, screen.text, screen.replaced, ""))

    def accepted(self, suggestion_id: int) -> None:
        """Note that a suggestion was taken whole; what is kept of it is looked at later."""
        screen = self._offered.pop(suggestion_id, None)
        if screen is None:
            return
        uri = screen.hole.snapshot.uri
        self._on.pop(uri, None)
        self._feedback.accepted(suggestion_id)
        after = accepted(screen.hole, screen.text, screen.replaced)
        self._feedback.watch(suggestion_id, uri, screen.hole.offset, screen.text, after.snapshot.text)
        if "\n" not in screen.text:
            self._just_accepted[uri] = after.prefix

    def moment(self, hole: Hole) -> Moment:
        """Return what the user has just done here."""
        uri = hole.snapshot.uri
        return Moment(self._just_accepted.get(uri) == hole.prefix, uri in self._many_cursors)

    def forget(self, uri: str) -> None:
        """Drop what belongs to a document that was closed."""
        self._on.pop(uri, None)
        self._just_accepted.pop(uri, None)
        self._many_cursors.discard(uri)
        self._feedback.closed(uri)
