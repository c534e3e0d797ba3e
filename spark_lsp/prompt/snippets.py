"""Candidates for the snippets: single definitions cut out of their files, counted, and grouped by file.

A definition is shown by its signature, from the line of its name on. Lines before it (decorators, attributes) and the
rest of a long signature stay out: at small budgets a line for a definition finds the most, docs/evaluation.md. Cut and
counted once for each content.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from spark_lsp.index.parse.symbols import Definition
from spark_lsp.index.storage.view import FileEntry
from spark_lsp.prompt.segment import Segment
from spark_lsp.prompt.token_counts import TokenCounter

MAX_SIGNATURE_LINES = 4  # of functions and classes; of anything else the line of the name says what it is
WITH_SIGNATURE = frozenset({"function", "method", "class", "interface"})
BODY_LINES = 40
MAX_CACHED_SIGNATURES = 20_000  # some 300 bytes each


@dataclass(frozen=True, slots=True)
class Candidate:
    """A segment that may be shown as a snippet, with the tokens of its text and those of its path line."""

    segment: Segment
    text_tokens: int
    frame_tokens: int


class Signatures:
    """Signatures of definitions by content, so that a file is not read again for each. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, str, bool], tuple[str, int] | None] = OrderedDict()

    def of(self, entry: FileEntry, definition: Definition) -> tuple[str, int] | None:
        """Return the lines of a signature and the number of the first one; None where the file has changed on disk."""
        return self._cut(entry, definition, whole=False)

    def whole(self, entry: FileEntry, definition: Definition) -> tuple[str, int] | None:
        """Return all lines of a definition and the number of the first; None for a long one and for a changed file."""
        return self._cut(entry, definition, whole=True)

    def _cut(self, entry: FileEntry, definition: Definition, *, whole: bool) -> tuple[str, int] | None:
        key = (entry.content_hash, definition.span.start, definition.name, whole)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        cut = _whole(entry.text, definition) if whole else _signature(entry.text, definition)
        with self._lock:
            self._kept[key] = cut
            if len(self._kept) > MAX_CACHED_SIGNATURES:
                self._kept.popitem(last=False)
        return cut


def _signature(text: str, definition: Definition) -> tuple[str, int] | None:
    span = definition.signature_span
    if span.end > len(text):
        return None
    at = text.find(definition.name, span.start, max(span.end, definition.span.end))
    at = span.start if at < 0 else at
    first = text.rfind("\n", 0, at) + 1
    lines = text[first : _line_end(text, max(at, span.end))].split("\n")
    kept = lines[: MAX_SIGNATURE_LINES if definition.kind in WITH_SIGNATURE else 1]
    return "\n".join(kept), text.count("\n", 0, first) + 1


def _whole(text: str, definition: Definition) -> tuple[str, int] | None:
    span = definition.span
    if span.end > len(text):
        return None
    first = text.rfind("\n", 0, span.start) + 1
    lines = text[first : _line_end(text, span.end)]
    return (lines, text.count("\n", 0, first) + 1) if lines.count("\n") < BODY_LINES else None


def _line_end(text: str, offset: int) -> int:
    end = text.find("\n", offset)
    return len(text) if end < 0 else end


async def count_candidates(segments: Sequence[Segment], counter: TokenCounter) -> list[Candidate]:
    """Count texts and path lines apart: a file's path is paid once for all of its snippets."""
    texts = await counter.count([f"{segment.text}\n" for segment in segments])
    paths = await counter.count([f"{segment.path}\n" for segment in segments])
    return [Candidate(segment, text, 1 + path) for segment, text, path in zip(segments, texts, paths, strict=True)]


def grouped_by_file(snippets: Iterable[Segment]) -> list[Segment]:
    """Join the snippets of each file into one segment in order of their lines; the best file comes last."""
    by_path: dict[str, list[Segment]] = {}
    for snippet in snippets:
        by_path.setdefault(snippet.path, []).append(snippet)
    joined = [_joined(group) for group in by_path.values()]
    return sorted(joined, key=lambda segment: (segment.score, segment.path))


def _joined(group: Sequence[Segment]) -> Segment:
    best = max(group, key=lambda snippet: snippet.score)
    ordered = sorted(
        {snippet.start_line: snippet for snippet in group}.values(), key=lambda snippet: snippet.start_line
    )
    lines: dict[int, str] = {}
    for snippet in ordered:
        lines.update(enumerate(snippet.text.split("\n"), snippet.start_line))
    numbers = sorted(lines)
    reason = best.reason if len(ordered) == 1 else f"{best.reason}, and {len(ordered) - 1} more of this file"
    return replace(
        best,
        text="\n".join(lines[number] for number in numbers),
        reason=reason,
        start_line=numbers[0],
        end_line=numbers[-1],
    )
