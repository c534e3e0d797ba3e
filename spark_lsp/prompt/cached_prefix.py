"""The cached prefix: the stable part of a prompt that stays resident in the KV cache.

First a sheet of every file's signatures in a frozen order, then whole files while the budget lasts; where all files
fit, the files alone. Segments that are still right keep their place, new ones are appended, a changed one moves to the
end; nothing is re-ordered for a better ranking, because each token after a change has to be read again. Where not all
fit, what would be chosen otherwise at another file makes way at the end only, and a part of the cached prefix at a
time.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice, takewhile

from spark_lsp.engine.base import SpecialToken
from spark_lsp.engine.fim import FileBlock, FimFamily, block_parts, pieces
from spark_lsp.index.storage.view import FileEntry, IndexView
from spark_lsp.prompt.segment import Segment, without_secrets
from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import LineTable

COUNT_BATCH_SEGMENTS = 64  # so that a huge workspace stops being counted as soon as the budget is full
MAX_READ_AGAIN = 0.25
"""How much of what is resident may be read again for a better choice at another file. In this repository the choices of
two files had 75 to 91 % of 32k tokens in common, and 18 to 52 % in front of the first difference."""
ELSEWHERE = 0.5
"""With less than this share of what is resident still chosen the user works in another part of the workspace."""
WHOLE_FILE_LIMIT_CHARACTERS = 60_000  # about 16k tokens; a larger file says more through its signatures


def signature_sheet(path: str, entry: FileEntry) -> Segment | None:
    """Return a file's signatures, a line or a few each, or None for a file that defines nothing."""
    spans = sorted({definition.signature_span for definition in entry.symbols.definitions})
    if not spans:
        return None
    lines = LineTable.of(entry.text)
    picked = sorted({line for span in spans for line in _line_numbers(lines, span)})
    text = "\n".join(lines.span(line).text(entry.text) for line in picked)
    reason = "signatures of the workspace, most used first"
    first, last = picked[0] + 1, picked[-1] + 1
    return without_secrets(Segment(path, text, "signature", reason, stable=True, start_line=first, end_line=last))


def whole_file(path: str, entry: FileEntry) -> Segment | None:
    """Return a file as one segment, or None for an empty or a very long one."""
    if not entry.text.strip() or len(entry.text) > WHOLE_FILE_LIMIT_CHARACTERS:
        return None
    text = entry.text.rstrip("\n")
    reason = "whole file, most used first"
    last = text.count("\n") + 1
    return without_secrets(Segment(path, text, "file", reason, stable=True, start_line=1, end_line=last))


async def build_cached_prefix(
    view: IndexView,
    counter: TokenCounter,
    family: FimFamily,
    *,
    budget_tokens: int,
    whole_tokens: int,
    order: Sequence[str],
    stable_order: Sequence[str],
    leave_out: Collection[str],
    previous: Sequence[Segment] = (),
) -> tuple[Segment, ...]:
    """Return the cached prefix's segments, in prompt order, within the budget.

    A workspace whose files altogether fit ``whole_tokens`` is shown whole: nothing is left for a snippet to add.
    ``stable_order`` are all files in an order that never changes; ``order`` are the same, the most useful now first.
    ``leave_out`` are paths of open documents: their text changes with each key and belongs to the volatile part.
    """
    files_shown = [path for path in stable_order if path in view.files and path not in leave_out]
    room_tokens = max(budget_tokens, whole_tokens)
    has_long = any(view.files[path].size > WHOLE_FILE_LIMIT_CHARACTERS for path in files_shown)
    files = (whole for path in files_shown if (whole := whole_file(path, view.files[path])))
    wholes = [] if has_long else await _count_all(files, counter, family, room_tokens)
    if not has_long and sum(whole.tokens for whole in wholes) <= room_tokens:
        return _keep_places(previous, wholes)
    order = [path for path in order if path in view.files and path not in leave_out]
    sheets = (sheet for path in order if (sheet := signature_sheet(path, view.files[path])))
    counted = await _count_all(sheets, counter, family, budget_tokens)
    files = (whole for path in order if (whole := whole_file(path, view.files[path])))
    left_tokens = budget_tokens - sum(sheet.tokens for sheet in counted)
    wholes = await _count_all(files, counter, family, left_tokens) if left_tokens > 0 else []
    chosen = _all_that_fit([*counted, *wholes], budget_tokens)
    right = await asyncio.to_thread(_still_right, view, previous, leave_out)
    return keep_what_is_read(previous, right, chosen, budget_tokens)


def _all_that_fit(candidates: Sequence[Segment], budget_tokens: int) -> list[Segment]:
    """Take what still fits, in order."""
    chosen, used = [], 0
    for segment in candidates:
        if used + segment.tokens <= budget_tokens:
            chosen.append(segment)
            used += segment.tokens
    return chosen


def _keep_places(previous: Sequence[Segment], chosen: Sequence[Segment]) -> tuple[Segment, ...]:
    """Put what is unchanged where it was, and the rest behind it in the frozen order."""
    wanted = {(segment.path, segment.kind, segment.text) for segment in chosen}
    kept = [old for old in previous if (old.path, old.kind, old.text) in wanted]
    held = {(segment.path, segment.kind) for segment in kept}
    return (*kept, *(segment for segment in chosen if (segment.path, segment.kind) not in held))


def _still_right(view: IndexView, previous: Sequence[Segment], leave_out: Collection[str]) -> list[Segment]:
    """Return the segments whose files say the same as when they were chosen, in their order."""
    makers = {"signature": signature_sheet, "file": whole_file}
    right = []
    for old in previous:
        entry = view.files.get(old.path) if old.path not in leave_out else None
        now = makers[old.kind](old.path, entry) if entry is not None else None
        if now is not None and is_same(old, now):
            right.append(old)
    return right


def keep_what_is_read(
    previous: Sequence[Segment], right: Sequence[Segment], chosen: Sequence[Segment], budget_tokens: int
) -> tuple[Segment, ...]:
    """Put what is chosen behind as much of the previous cached prefix as can stay, in the order of its use here.

    Before the first segment that is no longer right all may stay, chosen or not. Where the choice does not fit behind
    that, it is cut from its end on, by ``MAX_READ_AGAIN`` at most.
    """
    kept = sum(1 for _ in takewhile(lambda pair: is_same(*pair), zip(previous, right, strict=False)))
    used = _tokens(right[:kept])
    while used > budget_tokens:
        kept -= 1
        used -= right[kept].tokens
    wanted = {(segment.path, segment.kind) for segment in chosen}
    still = _tokens([segment for segment in right[:kept] if (segment.path, segment.kind) in wanted])
    if still < ELSEWHERE * used:
        return _keep_places(previous, chosen)
    missing = _tokens(chosen) - still
    may_go = MAX_READ_AGAIN * used
    while used + missing > budget_tokens and kept and right[kept - 1].tokens <= may_go:
        kept -= 1
        last = right[kept]
        used, may_go = used - last.tokens, may_go - last.tokens
        missing += last.tokens if (last.path, last.kind) in wanted else 0
    front = {(segment.path, segment.kind) for segment in right[:kept]}
    behind = [segment for segment in chosen if (segment.path, segment.kind) not in front]
    return (*right[:kept], *_all_that_fit(behind, budget_tokens - used))


def _tokens(segments: Sequence[Segment]) -> int:
    return sum(segment.tokens for segment in segments)


def is_same(first: Segment, second: Segment) -> bool:
    """Whether two segments are the same tokens of a prompt."""
    return (first.path, first.kind, first.text) == (second.path, second.kind, second.text)


async def _count_all(
    candidates: Iterator[Segment], counter: TokenCounter, family: FimFamily, budget_tokens: int
) -> list[Segment]:
    """Count candidates batch by batch until they fill the budget; they read files, so they are made in a thread."""
    counted: list[Segment] = []
    total = 0
    while total <= budget_tokens:
        batch = await asyncio.to_thread(lambda: list(islice(candidates, COUNT_BATCH_SEGMENTS)))
        if not batch:
            break
        batch = await count_segments(batch, counter, family)
        counted += batch
        total += sum(segment.tokens for segment in batch)
    return counted


async def count_segments(segments: Sequence[Segment], counter: TokenCounter, family: FimFamily) -> list[Segment]:
    """Give each segment its exact tokens, the separator and the path line that frame it included."""
    parts = [block_parts(family, block_of(segment)) for segment in segments]
    counts = iter(await counter.count([text for part in parts for text in pieces(part)]))
    return [
        replace(segment, tokens=sum(1 if isinstance(item, SpecialToken) else next(counts) for item in part))
        for segment, part in zip(segments, parts, strict=True)
    ]


def block_of(segment: Segment) -> FileBlock:
    """Return the segment as the family's layout takes it."""
    return FileBlock(segment.path, segment.text, segment.stable)


def _line_numbers(lines: LineTable, span: Span) -> range:
    return range(lines.line_of(span.start), lines.line_of(max(span.start, span.end - 1)) + 1)
