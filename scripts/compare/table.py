"""Summarise keys as medians and ratios, and print both sides beside each other. Pure."""

import statistics
from collections.abc import Callable, Iterator, Sequence

import msgspec

from scripts.compare.measure import KeyTime

EVEN_SHARE = 0.8
"""Share of their prompt's tokens from which our prompt counts as the same size."""

_Row = tuple[str, ...]


class Figure(msgspec.Struct, frozen=True):
    """Times of one kind of key on one side, in ms, and the counts behind them."""

    keys: int
    first_text_p50_ms: float
    first_text_p95_ms: float
    answer_p50_ms: float
    answer_p95_ms: float
    prompt_tokens: int
    """Median of the prompt's tokens; so are the next two."""
    read_tokens: int
    written_tokens: int


class Side(msgspec.Struct, frozen=True):
    """One side at one context size. A figure is None if there was no such key."""

    name: str
    key: Figure | None
    """Keys that sent a request to the model, in the same file as the key before."""
    switch: Figure | None
    """First keys after a file switch that sent a request to the model."""
    every: Figure | None
    """All keys that had an answer: from the model or from an earlier answer."""
    kept: int
    """Keys that an earlier answer served."""
    refused: int
    ready_s: float
    """Seconds from the start until everything was prefilled."""


class Comparison(msgspec.Struct, frozen=True):
    """All sides at one context size; ``theirs`` is empty where their server was not available."""

    context_tokens: int
    ours: Side
    theirs: tuple[Side, ...]


def side(name: str, keys: Sequence[KeyTime], ready_s: float) -> Side:
    """Summarise the keys of one side."""
    asked = [key for key in keys if key.how == "model"]
    return Side(
        name=name,
        key=figure([key for key in asked if key.key > 0]),
        switch=figure([key for key in asked if key.is_switch]),
        every=figure([key for key in keys if key.how != "refused"]),
        kept=sum(key.how == "kept" for key in keys),
        refused=sum(key.how == "refused" for key in keys),
        ready_s=round(ready_s, 1),
    )


def figure(keys: Sequence[KeyTime]) -> Figure | None:
    """Return medians and 95th percentiles; None without samples."""
    if not keys:
        return None
    first, answer = [key.first_text_ms for key in keys], [key.answer_ms for key in keys]

    def middle(count: Callable[[KeyTime], int]) -> int:
        return int(statistics.median(count(key) for key in keys))

    return Figure(
        keys=len(keys),
        first_text_p50_ms=round(statistics.median(first), 1),
        first_text_p95_ms=round(p95(first), 1),
        answer_p50_ms=round(statistics.median(answer), 1),
        answer_p95_ms=round(p95(answer), 1),
        prompt_tokens=middle(lambda key: key.prompt_tokens),
        read_tokens=middle(lambda key: key.read_tokens),
        written_tokens=middle(lambda key: key.written_tokens),
    )


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 % do not exceed; of few values the largest."""
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]


def ratio(ours: float, theirs: float) -> float | None:
    """Return our time as a share of theirs; None if they have no time."""
    return round(ours / theirs, 3) if theirs > 0 else None


def is_uneven(comparison: Comparison) -> bool:
    """Whether our prompts were so much shorter than one of theirs that the times cannot be compared."""
    ours = comparison.ours.key
    others = [their_side.key for their_side in comparison.theirs if their_side.key]
    return ours is not None and any(ours.prompt_tokens < EVEN_SHARE * key.prompt_tokens for key in others)


_ROWS = (
    ("first text, median", "first_text_p50_ms"),
    ("first text, p95", "first_text_p95_ms"),
    ("whole answer, median", "answer_p50_ms"),
    ("whole answer, p95", "answer_p95_ms"),
)
_SIZES = (
    ("tokens in the prompt, median", "prompt_tokens"),
    ("tokens read again, median", "read_tokens"),
    ("tokens written, median", "written_tokens"),
    ("keys", "keys"),
)
_TOTALS = (
    ("keys served from an earlier answer", "kept"),
    ("keys that the editor's side did not ask for", "refused"),
    ("seconds from the start until all is read", "ready_s"),
)
_KINDS = (("each key that asked", "key"), ("after a file switch", "switch"), ("all keys", "every"))


def rows(comparison: Comparison) -> list[_Row]:
    """Return the table's lines: what, ours, then theirs and our share of it for each of their variants."""
    table_rows: list[_Row] = []
    for kind, name in _KINDS:
        figures = [getattr(one_side, name) for one_side in (comparison.ours, *comparison.theirs)]
        table_rows += [(f"{kind}: {what}", *_times(figures, field)) for what, field in _ROWS]
        table_rows += [(f"{kind}: {what}", *_counts(figures, field)) for what, field in _SIZES]
    sides = (comparison.ours, *comparison.theirs)
    return table_rows + [(what, *_counts(sides, field)) for what, field in _TOTALS]


def _times(figures: Sequence[Figure | None], field: str) -> Iterator[str]:
    ours, *theirs = (getattr(figures_of_side, field, None) for figures_of_side in figures)
    yield _ms(ours)
    for value in theirs:
        share = ratio(ours, value) if ours is not None and value is not None else None
        yield from (_ms(value), "" if share is None else f"{share:.2f}")


def _counts(counted: Sequence[Figure | Side | None], field: str) -> Iterator[str]:
    ours, *theirs = (str(getattr(counts, field, "-")) for counts in counted)
    yield ours
    for value in theirs:
        yield from (value, "")


def as_text(comparison: Comparison) -> str:
    """Return the table as text in columns."""
    names = [cell for their_side in comparison.theirs for cell in (their_side.name, "share")]
    lines = [(f"{comparison.context_tokens:,} tokens of context", comparison.ours.name, *names), *rows(comparison)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
    )


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms"
