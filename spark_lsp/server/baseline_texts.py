"""The text of each open document as it was opened, and when it began to change: what an edit is measured against.

Once the calls of a function have been changed as proposed, in all documents, the text of that moment takes its place.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from spark_lsp.actions.base import BaselineText
from spark_lsp.text.snapshot import Snapshot

_UNCHANGED_NS = 2**63 - 1
_JUMP_NS = 1_000_000_000  # less is a clock that is corrected in small steps


@dataclass(slots=True)
class _AppliedEdit:
    """What the client was sent last: the document after it, and those not seen yet as they should become."""

    uri: str
    text: str
    waiting: dict[str, str]


@dataclass(slots=True)
class BaselineTexts:
    """One window's documents. Belongs to the event loop.

    ``now_ns`` is the clock of the files, which somebody may put back; ``elapsed_ns`` one that nobody can.
    """

    now_ns: Callable[[], int] = time.time_ns
    elapsed_ns: Callable[[], int] = time.monotonic_ns
    _kept: dict[str, BaselineText] = field(default_factory=dict)
    _began_ns: dict[str, int] = field(default_factory=dict)
    """When the documents began to change, by ``elapsed_ns``."""
    _applied: _AppliedEdit | None = None

    def opened(self, snapshot: Snapshot) -> None:
        """Keep a document's text."""
        self._kept[snapshot.uri] = BaselineText(snapshot.text, _UNCHANGED_NS)
        self._see(snapshot)

    def changed(self, snapshot: Snapshot) -> None:
        """Note the moment of the first change; a document that is as it was has not changed."""
        self._see(snapshot)
        kept = self._kept.get(snapshot.uri)
        if kept is None:
            return
        if kept.text == snapshot.text:
            self._kept[snapshot.uri] = replace(kept, since_ns=_UNCHANGED_NS)
        elif kept.since_ns == _UNCHANGED_NS:
            self._begin(snapshot.uri, kept.text)

    def applied(self, snapshot: Snapshot, after: Mapping[str, str]) -> None:
        """Wait for the client to make edits that fit a document to its calls; ``after`` are the texts they lead to."""
        self._applied = _AppliedEdit(snapshot.uri, after.get(snapshot.uri, snapshot.text), dict(after))

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._kept.pop(uri, None)
        self._began_ns.pop(uri, None)
        if self._applied is not None and self._applied.uri == uri:
            self._applied = None

    def of(self, uri: str) -> BaselineText | None:
        """Return how a document was, None for one that is not open.

        If the clock was put back since, the begin of the change counts by the clock as it is now: files that were
        written after it must not look older than the change.
        """
        kept, began_ns = self._kept.get(uri), self._began_ns.get(uri)
        if kept is None or began_ns is None or kept.since_ns == _UNCHANGED_NS:
            return kept
        since_ns = self.now_ns() - (self.elapsed_ns() - began_ns)
        return replace(kept, since_ns=since_ns) if kept.since_ns - since_ns > _JUMP_NS else kept

    def _begin(self, uri: str, text: str) -> None:
        """Note that a document that had this text changes from now on."""
        self._kept[uri] = BaselineText(text, self.now_ns())
        self._began_ns[uri] = self.elapsed_ns()

    def _see(self, snapshot: Snapshot) -> None:
        """Take a document that has become what it should; with the last of them the calls fit the head as it is."""
        edit = self._applied
        if edit is None or edit.waiting.get(snapshot.uri) != snapshot.text:
            return
        del edit.waiting[snapshot.uri]
        if not edit.waiting:
            self._applied = None
            is_own = snapshot.uri == edit.uri
            if is_own:
                self._kept[edit.uri] = BaselineText(edit.text, _UNCHANGED_NS)
            else:
                self._begin(edit.uri, edit.text)
