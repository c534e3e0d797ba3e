"""The ordered table of snippet sources: where the tail of a prompt comes from.

A source is a plain function from a cursor to segments, best first. To add a signal, add a function and a row. One that
fails is reported and left out; it never spoils the others. No source may return lines of the current file.
"""

from collections.abc import Callable
from dataclasses import dataclass

from spark_lsp.context.segment import Segment, segment_of
from spark_lsp.index.rank import rank_definitions
from spark_lsp.index.recent import Recent
from spark_lsp.index.view import IndexView
from spark_lsp.text.document import LineTable, Snapshot
from spark_lsp.trace import bug

RANKED_DEFINITIONS = 60  # more than any tail holds: a signature costs some 20 tokens
RECENT_FILES = 3
RECENT_LINES = 12  # what fits the eye around an edit


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a completion is asked for. ``path`` is relative to the workspace with ``/``."""

    snapshot: Snapshot
    path: str
    offset: int
    view: IndexView
    recent: Recent


Source = Callable[[Cursor], list[Segment]]


def ranked_definitions(cursor: Cursor) -> list[Segment]:
    """Signatures of the definitions that the next lines are likely to need."""
    found = []
    ranked = rank_definitions(
        cursor.view,
        path=cursor.path,
        text=cursor.snapshot.text,
        offset=cursor.offset,
        language=cursor.snapshot.language,
        limit=RANKED_DEFINITIONS,
    )
    sources: dict[str, tuple[str, LineTable]] = {}
    for each in ranked:
        if each.path not in sources:
            source = cursor.view.files[each.path].text
            sources[each.path] = (source, LineTable.of(source))
        source, lines = sources[each.path]
        span = each.definition.signature_span
        if span.end <= len(source):  # a file that has changed on disk since it was indexed reads as empty
            found.append(segment_of(each.path, source, lines, span, "definition", each.reason, each.score))
    return found


def recent_edits(cursor: Cursor) -> list[Segment]:
    """Lines around the newest edits in other files."""
    found: list[Segment] = []
    for edit in cursor.recent.edits():
        entry = cursor.view.files.get(edit.path)
        if edit.path == cursor.path or entry is None or any(each.path == edit.path for each in found):
            continue
        lines = LineTable.of(entry.text)
        middle = lines.line_of(min(edit.span.start, len(entry.text)))
        first, last = max(0, middle - RECENT_LINES // 2), min(len(lines) - 1, middle + RECENT_LINES // 2)
        text = entry.text[lines.starts[first] : lines.ends[last]]
        if text.strip():
            found.append(Segment(edit.path, text, "recent", "edited recently", 1.0, False, first + 1, last + 1))
        if len(found) == RECENT_FILES:
            break
    return found


SOURCES: tuple[tuple[str, Source], ...] = (
    ("ranked_definitions", ranked_definitions),
    ("recent_edits", recent_edits),
)


def gather(cursor: Cursor) -> list[Segment]:
    """Ask every source; best first within a source, sources in table order."""
    segments: list[Segment] = []
    for name, source in SOURCES:
        try:
            found = source(cursor)
        except Exception as error:  # noqa: BLE001 - a source is a plug-in: its failure costs its snippets, nothing else
            bug("context source failed", source=name, error=repr(error))
            continue
        segments += [segment for segment in found if segment.path != cursor.path]
    return segments
