"""Spans and edits over text. Pure; offsets only."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open range of code-point offsets, ``start <= end``."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"span {self.start}..{self.end} is not ordered")

    def __len__(self) -> int:
        return self.end - self.start

    def __bool__(self) -> bool:
        return True

    def contains(self, offset: int) -> bool:
        """Whether the offset is in the span, its end included (a cursor may stand there)."""
        return self.start <= offset <= self.end

    def text(self, source: str) -> str:
        """Return the part of the source that the span covers."""
        return source[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace ``span`` by ``new_text``."""

    span: Span
    new_text: str


def apply_edits(source: str, edits: Iterable[Edit]) -> str:
    """Apply edits, all given in offsets of the source.

    Raises:
        ValueError: two edits overlap or one is outside the source.
    """
    pieces: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.end)):
        if edit.span.start < done or edit.span.end > len(source):
            raise ValueError(f"edit {edit.span} overlaps another or is outside {len(source)} characters")
        pieces += [source[done : edit.span.start], edit.new_text]
        done = edit.span.end
    return "".join([*pieces, source[done:]])
