"""The trunk: the stable part of a prompt that stays resident in the KV cache.

A sheet of every file's signatures in a frozen order, whole files where the budget allows. Segments that are still right
keep their place, new ones are appended, a changed one moves to the end; nothing is re-ordered for a better ranking,
because each token after a change has to be read again.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from spark_lsp.context.segment import Segment
from spark_lsp.context.tokens import TokenCounter
from spark_lsp.engine.base import Control
from spark_lsp.engine.fim import FileBlock, FimFamily, block_parts, pieces
from spark_lsp.index.rank import frozen_order
from spark_lsp.index.view import FileEntry, IndexView
from spark_lsp.text.document import LineTable
from spark_lsp.text.edit import Span

COUNT_BATCH_SEGMENTS = 64  # so that a huge workspace stops being counted as soon as the budget is full
WHOLE_FILE_LIMIT_CHARACTERS = 60_000  # about 16k tokens; a larger file says more through its signatures


def signature_sheet(path: str, entry: FileEntry) -> Segment | None:
    """Return a file's signatures, a line or a few each, or None for a file that defines nothing."""
    spans = sorted({definition.signature_span for definition in entry.symbols.definitions})
    if not spans:
        return None
    lines = LineTable.of(entry.text)
    picked = sorted({line for span in spans for line in _line_numbers(lines, span)})
    text = "\n".join(lines.span(line).text(entry.text) for line in picked)
    return Segment(
        path, text, "signature", "signatures of the workspace, most used first", stable=True,
        start_line=picked[0] + 1, end_line=picked[-1] + 1,
    )  # fmt: skip


def whole_file(path: str, entry: FileEntry) -> Segment | None:
    """Return a file as one segment, or None for an empty or a very long one."""
    if not entry.text.strip() or len(entry.text) > WHOLE_FILE_LIMIT_CHARACTERS:
        return None
    text = entry.text.rstrip("\n")
    reason = "whole file, most used first"
    return Segment(path, text, "file", reason, stable=True, start_line=1, end_line=text.count("\n") + 1)


async def build_trunk(
    view: IndexView,
    counter: TokenCounter,
    family: FimFamily,
    *,
    budget_tokens: int,
    leave_out: Collection[str],
    previous: Sequence[Segment] = (),
) -> tuple[Segment, ...]:
    """Return the trunk's segments, in prompt order, within the budget.

    ``leave_out`` are paths of open documents: their text changes with each key and belongs to the window and the tail.
    """
    order = [path for path in frozen_order(view) if path not in leave_out]
    sheets = (sheet for path in order if (sheet := signature_sheet(path, view.files[path])))
    chosen, used = await _fill(sheets, counter, family, budget_tokens)
    files = (whole for path in order if (whole := whole_file(path, view.files[path])))
    for whole in await _count_all(files, counter, family, budget_tokens):
        sheet = chosen.get(whole.path)
        gain = whole.tokens - (sheet.tokens if sheet else 0)
        if used + gain <= budget_tokens:
            chosen[whole.path] = whole
            used += gain
    return _keep_places(previous, chosen, order)


def _keep_places(previous: Sequence[Segment], chosen: dict[str, Segment], order: Sequence[str]) -> tuple[Segment, ...]:
    """Put what is unchanged where it was, and the rest behind it in the frozen order."""
    kept = [old for old in previous if _same(old, chosen.get(old.path))]
    held = {segment.path for segment in kept}
    return (*kept, *(chosen[path] for path in order if path in chosen and path not in held))


def _same(old: Segment, new: Segment | None) -> bool:
    return new is not None and old.text == new.text and old.kind == new.kind


async def _fill(
    candidates: Iterator[Segment], counter: TokenCounter, family: FimFamily, budget_tokens: int
) -> tuple[dict[str, Segment], int]:
    used = 0
    chosen: dict[str, Segment] = {}
    for segment in await _count_all(candidates, counter, family, budget_tokens):
        if used + segment.tokens <= budget_tokens:
            chosen[segment.path] = segment
            used += segment.tokens
    return chosen, used


async def _count_all(
    candidates: Iterator[Segment], counter: TokenCounter, family: FimFamily, budget_tokens: int
) -> list[Segment]:
    """Count candidates batch by batch until they fill the budget."""
    counted: list[Segment] = []
    total = 0
    batch: list[Segment] = []
    for segment in candidates:
        batch.append(segment)
        if len(batch) == COUNT_BATCH_SEGMENTS:
            counted += await count_segments(batch, counter, family)
            total = sum(each.tokens for each in counted)
            batch = []
            if total > budget_tokens:
                return counted
    return counted + await count_segments(batch, counter, family)


async def count_segments(segments: Sequence[Segment], counter: TokenCounter, family: FimFamily) -> list[Segment]:
    """Give each segment its exact tokens, the separator and the path line that frame it included."""
    parts = [block_parts(family, block_of(segment)) for segment in segments]
    counts = iter(await counter.count([text for part in parts for text in pieces(part)]))
    return [
        replace(segment, tokens=sum(1 if isinstance(each, Control) else next(counts) for each in part))
        for segment, part in zip(segments, parts, strict=True)
    ]


def block_of(segment: Segment) -> FileBlock:
    """Return the segment as the family's layout takes it."""
    return FileBlock(segment.path, segment.text, segment.stable)


def _line_numbers(lines: LineTable, span: Span) -> range:
    return range(lines.line_of(span.start), lines.line_of(max(span.start, span.end - 1)) + 1)
