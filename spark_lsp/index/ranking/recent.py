"""The user's recent edits and views in two short rings. Has paths and spans, never text; reads no clock."""

from collections import deque
from dataclasses import dataclass, field

from spark_lsp.text.edit import Span

EDITS_KEPT = 64
VIEWS_KEPT = 64
SAME_PLACE_CHARS = 400  # some ten lines: one burst of typing is one edit


@dataclass(frozen=True, slots=True)
class RecentEdit:
    """An edit in ``path``; ``span`` is in offsets of the text right after it, and ``at_s`` the caller's clock."""

    path: str
    span: Span
    at_s: float


@dataclass(slots=True)
class Recent:
    """The rings. Belongs to one thread."""

    _edits: deque[RecentEdit] = field(default_factory=lambda: deque(maxlen=EDITS_KEPT))
    _views: dict[str, float] = field(default_factory=dict)

    def edited(self, path: str, span: Span, at_s: float) -> None:
        """Note an edit. One beside the newest edit of the same file takes its place."""
        newest = self._edits[-1] if self._edits else None
        if newest and newest.path == path and abs(newest.span.start - span.start) <= SAME_PLACE_CHARS:
            self._edits.pop()
        self._edits.append(RecentEdit(path, span, at_s))
        self.viewed(path, at_s)

    def viewed(self, path: str, at_s: float) -> None:
        """Note that a document came into focus."""
        self._views.pop(path, None)
        self._views[path] = at_s
        if len(self._views) > VIEWS_KEPT:
            del self._views[next(iter(self._views))]

    def paths(self) -> tuple[str, ...]:
        """Return the recently edited or viewed files, the newest first."""
        return tuple(reversed(self._views))

    def edits(self) -> tuple[RecentEdit, ...]:
        """Return the edits, the newest first."""
        return tuple(reversed(self._edits))
