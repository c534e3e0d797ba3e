"""The ordered table of snippet sources: where a prompt's snippets come from.

A source is a plain function from a cursor to segments, best first. To add a signal, add a function and a row. One that
fails is reported and left out; it never spoils the others. No source may return lines of the current file.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from spark_lsp.index.ranking.rank import RankedDefinition, rank_definitions
from spark_lsp.index.ranking.recent import Recent
from spark_lsp.index.scan.history import NO_CHANGES, CoChanges
from spark_lsp.index.storage.view import IndexView
from spark_lsp.prompt.budget import Budget
from spark_lsp.prompt.segment import Segment, without_secrets
from spark_lsp.prompt.similar_lines import similar_lines
from spark_lsp.prompt.snippets import WITH_SIGNATURE, Signatures
from spark_lsp.text.language import may_use
from spark_lsp.text.snapshot import LineTable, Snapshot
from spark_lsp.trace import bug

TOKENS_PER_DEFINITION, MAX_DEFINITIONS = 10, 200  # signatures take 10 to 40 tokens; ranking more costs time
RANKED_DEFINITIONS = 60
BODIES = 8
REST_PENALTY, BODY_PENALTY = 1.5, 5.0
"""The rest of a long signature, and a body, come in where the first lines left over are this much less likely."""
RECENT_FILES = 3
RECENT_LINES = 12  # what fits the eye around an edit
RECENT_SCORE = 3.0  # as a definition that the file uses nearby: what was just edited elsewhere is often needed here


@dataclass(frozen=True, slots=True)
class PromptCursor:
    """Where a completion is asked for. ``path`` is relative to the workspace with ``/``."""

    snapshot: Snapshot
    path: str
    offset: int
    view: IndexView
    recent: Recent
    definitions: int = RANKED_DEFINITIONS
    """How many ranked definitions are asked for: more than a prompt shows."""
    signatures: Signatures = field(default_factory=Signatures)
    history: CoChanges = NO_CHANGES
    similar: int = 0
    """How many similar snippets are asked for."""


SegmentSource = Callable[[PromptCursor], list[Segment]]


def ranked_definitions(cursor: PromptCursor) -> list[Segment]:
    """Signatures of the definitions that the next lines are likely to need, and bodies of the likeliest."""
    definitions = []
    ranked = rank_definitions(
        cursor.view,
        path=cursor.path,
        text=cursor.snapshot.text,
        offset=cursor.offset,
        language=cursor.snapshot.language,
        limit=cursor.definitions,
        recent=cursor.recent.paths(),
        history=cursor.history,
    )
    for place, candidate in enumerate(ranked):
        entry = cursor.view.files[candidate.path]
        if not may_use(cursor.snapshot.language, entry.language):
            continue
        signature = cursor.signatures.of(entry, candidate.definition)
        if signature is None:  # the file has changed on disk since it was indexed
            continue
        text, line = signature
        first, _, rest = text.partition("\n")
        definitions.append(_definition(candidate, first, line, candidate.score))
        if rest:
            definitions.append(_definition(candidate, rest, line + 1, candidate.score - REST_PENALTY))
        if place < BODIES and candidate.definition.kind in WITH_SIGNATURE:
            body = cursor.signatures.whole(entry, candidate.definition)
            if body is not None and body[0] != text:
                definitions.append(_definition(candidate, *body, candidate.score - BODY_PENALTY))
    return definitions


def _definition(ranked: RankedDefinition, text: str, line: int, score: float) -> Segment:
    last = line + text.count("\n")
    return Segment(ranked.path, text, "definition", ranked.reason, score, False, line, last)


def recent_edits(cursor: PromptCursor) -> list[Segment]:
    """Lines around the newest edits in other files."""
    edits: list[Segment] = []
    for edit in cursor.recent.edits():
        entry = cursor.view.files.get(edit.path)
        if edit.path == cursor.path or entry is None or any(segment.path == edit.path for segment in edits):
            continue
        lines = LineTable.of(entry.text)
        middle = lines.line_of(min(edit.span.start, len(entry.text)))
        first, last = max(0, middle - RECENT_LINES // 2), min(len(lines) - 1, middle + RECENT_LINES // 2)
        text = entry.text[lines.starts[first] : lines.ends[last]]
        if text.strip():
            edits.append(
                Segment(edit.path, text, "recent", "edited recently", RECENT_SCORE, False, first + 1, last + 1)
            )
        if len(edits) == RECENT_FILES:
            break
    return edits


def similar(cursor: PromptCursor) -> list[Segment]:
    """Lines of other files that are similar to those before the cursor, and what follows them."""
    return similar_lines(cursor.view, cursor.snapshot, cursor.path, cursor.offset, cursor.similar)


SOURCES: tuple[tuple[str, SegmentSource], ...] = (
    ("ranked_definitions", ranked_definitions),
    ("recent_edits", recent_edits),
    ("similar", similar),
)


def gather(cursor: PromptCursor) -> list[Segment]:
    """Ask every source; best first within a source, sources in table order. Secrets are masked."""
    segments: list[Segment] = []
    for name, source in SOURCES:
        try:
            gathered = source(cursor)
        except Exception as error:  # noqa: BLE001 - a source is a plug-in: its failure costs its snippets, nothing else
            bug("context source failed", source=name, error=repr(error))
            continue
        segments += [without_secrets(segment) for segment in gathered if segment.path != cursor.path]
    return segments


def definitions_for(budget: Budget) -> int:
    """Return how many definitions to rank: more than a prompt shows, for some are shown already."""
    return max(RANKED_DEFINITIONS, min(MAX_DEFINITIONS, budget.snippet_tokens // TOKENS_PER_DEFINITION))
