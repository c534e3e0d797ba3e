"""The text of each open document as it was opened, and when it began to change: what an edit is measured against."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from spark_lsp.actions.base import Earlier
from spark_lsp.text.document import Snapshot

_UNCHANGED_NS = 2**63 - 1


@dataclass(slots=True)
class Openings:
    """One window's documents. Belongs to the event loop; ``now_ns`` is the clock of the files."""

    now_ns: Callable[[], int] = time.time_ns
    _kept: dict[str, Earlier] = field(default_factory=dict)

    def opened(self, snapshot: Snapshot) -> None:
        """Keep a document's text."""
        self._kept[snapshot.uri] = Earlier(snapshot.text, _UNCHANGED_NS)

    def changed(self, snapshot: Snapshot) -> None:
        """Note the moment of the first change; a document that is as it was has not changed."""
        kept = self._kept.get(snapshot.uri)
        if kept is None:
            return
        if kept.text == snapshot.text:
            self._kept[snapshot.uri] = replace(kept, since_ns=_UNCHANGED_NS)
        elif kept.since_ns == _UNCHANGED_NS:
            self._kept[snapshot.uri] = replace(kept, since_ns=self.now_ns())

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._kept.pop(uri, None)

    def of(self, uri: str) -> Earlier | None:
        """Return how a document was, None for one that is not open."""
        return self._kept.get(uri)
