"""The segment: one part of a prompt, with where it comes from and why it is there. Frozen values."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from spark_lsp.secret_text import masked
from spark_lsp.text.edit import Span
from spark_lsp.text.language import language_of_path
from spark_lsp.text.snapshot import LineTable

SegmentKind = Literal["file", "definition", "signature", "recent", "similar", "imports", "prefix", "suffix", "header"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a prompt's text.

    ``start_line`` and ``end_line`` are 1-based and inclusive, 0 for one that is in no file. ``path`` is relative
    to the workspace with ``/``. ``tokens`` counts the text with what frames it (path line, separator token).
    """

    path: str
    text: str
    kind: SegmentKind
    reason: str
    score: float = 0.0
    stable: bool = False
    start_line: int = 0
    end_line: int = 0
    tokens: int = 0
    cached: bool = False

    def counted(self, tokens: int) -> "Segment":
        """Return the same segment with its token count."""
        return replace(self, tokens=tokens)


def without_secrets(segment: Segment) -> Segment:
    """Return a segment of another file with its secrets masked; as a rule it is the same."""
    text = masked(segment.text, is_code=language_of_path(segment.path) is not None)
    return segment if text == segment.text else replace(segment, text=text)


def tokens_of(segments: Iterable[Segment]) -> int:
    """Return the tokens of several segments."""
    return sum(segment.tokens for segment in segments)


def segment_of(
    path: str, source: str, lines: LineTable, span: Span, kind: SegmentKind, reason: str, score: float
) -> Segment:
    """Cut whole lines of a source around a span."""
    first, last = lines.line_of(span.start), lines.line_of(max(span.start, span.end - 1))
    text = source[lines.starts[first] : lines.ends[last]]
    return Segment(path, text, kind, reason, score, start_line=first + 1, end_line=last + 1)
