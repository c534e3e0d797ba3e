"""The text of each open document as it was opened, and when it began to change: what an edit is measured against.

Once the calls of a function have been changed as proposed, in all documents, the text of that moment takes its place.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from spark_lsp.actions.base import BaselineText
from spark_lsp.text.snapshot import Snapshot

_UNCHANGED_NS = 2**63 - 1


@dataclass(slots=True)
class _AppliedEdit:
    """What the client was sent last: the document after it, and those not seen yet as they should become."""

    uri: str
    text: str
    waiting: dict[str, str]


@dataclass(slots=True)
class BaselineTexts:
    """One window's documents. Belongs to the event loop; ``now_ns`` is the clock of the files."""

    now_ns: Callable[[], int] = time.time_ns
    _kept: dict[str, BaselineText] = field(default_factory=dict)
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
            self._kept[snapshot.uri] = replace(kept, since_ns=self.now_ns())

    def applied(self, snapshot: Snapshot, after: Mapping[str, str]) -> None:
        """Wait for the client to make edits that fit a document to its calls; ``after`` are the texts they lead to."""
        self._applied = _AppliedEdit(snapshot.uri, after.get(snapshot.uri, snapshot.text), dict(after))

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._kept.pop(uri, None)
        if self._applied is not None and self._applied.uri == uri:
            self._applied = None

    def of(self, uri: str) -> BaselineText | None:
        """Return how a document was, None for one that is not open."""
        return self._kept.get(uri)

    def _see(self, snapshot: Snapshot) -> None:
        """Take a document that has become what it should; with the last of them the calls fit the head as it is."""
        edit = self._applied
        if edit is None or edit.waiting.get(snapshot.uri) != snapshot.text:
            return
        del edit.waiting[snapshot.uri]
        if not edit.waiting:
            self._applied = None
            is_own = snapshot.uri == edit.uri
            self._kept[edit.uri] = BaselineText(edit.text, _UNCHANGED_NS if is_own else self.now_ns())
