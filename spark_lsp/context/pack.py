"""Packing: from segments and a window to a prompt that keeps an exact token budget.

Order is stable first: header, trunk, then the tail with its best segment nearest to the cursor. Deterministic: the same
inputs give the same prompt. Never cuts the trunk from the front and never shows the current file twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from spark_lsp.context.budget import Budget
from spark_lsp.context.segment import Segment
from spark_lsp.context.sources import Cursor
from spark_lsp.context.tokens import TokenCounter
from spark_lsp.context.trunk import block_of
from spark_lsp.context.window import Window, choose_window
from spark_lsp.engine.base import PromptPart
from spark_lsp.engine.fim import FimFamily, build_prompt, pieces, prompt_tokens

SPARE_STEP_TOKENS = 64  # some ten lines of typing
SIMILAR_TO_WINDOW = 0.5
"""A snippet that shares more of its lines with the window is left out: such chunks make a model repeat (llama.vim)."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A prompt and the account of it. ``segments`` are in prompt order; their tokens add up to ``tokens``."""

    parts: tuple[PromptPart, ...]
    segments: tuple[Segment, ...]
    window: Window
    tokens: int
    budget_tokens: int
    gather_ms: float = 0.0
    pack_ms: float = 0.0

    @property
    def text(self) -> str:
        """The whole prompt as the model sees it, control tokens by their text."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a prompt is laid out for: the model's family and order, and the repository's name."""

    family: FimFamily
    order: Literal["psm", "spm"]
    repository: str


async def pack(
    cursor: Cursor,
    layout: Layout,
    counter: TokenCounter,
    budget: Budget,
    *,
    trunk: Sequence[Segment],
    found: Sequence[Segment],
) -> Packed:
    """Choose the window and the tail, and build the prompt.

    ``found`` are counted candidates for the tail, best first. ``trunk`` are the stable segments that may be used, in
    order; those of the current file end it (the current file is never shown twice). Raises what ``TokenCounter.count``
    raises.
    """
    snapshot = cursor.snapshot
    window = await choose_window(
        counter,
        snapshot.text,
        snapshot.lines,
        cursor.offset,
        prefix_tokens=budget.prefix_tokens,
        suffix_tokens=budget.suffix_tokens,
    )
    stable = _within(_until_path(trunk, cursor.path), budget.shared_tokens)
    tail = _choose_tail(cursor, found, window, stable, _tail_tokens(budget, window, stable))
    segments = [*stable, *tail]
    while True:
        packed = await _lay_out(cursor, layout, counter, window, segments, budget)
        if packed.tokens <= budget.total_tokens or not segments:
            return packed
        # The frame (header, path lines, control tokens) was over what the parts left free: the least useful part goes.
        segments.remove(min(tail, key=lambda each: each.score) if tail else segments[-1])
        tail = [segment for segment in segments if not segment.stable]


def _tail_tokens(budget: Budget, window: Window, trunk: Sequence[Segment]) -> int:
    """Return the tail's limit: its own, and what a short file leaves of the window's, in steps that outlast a key."""
    spare = budget.prefix_tokens - window.prefix_tokens + budget.suffix_tokens - window.suffix_tokens
    own = budget.tail_tokens + spare // SPARE_STEP_TOKENS * SPARE_STEP_TOKENS
    return min(own, budget.shared_tokens + spare - sum(segment.tokens for segment in trunk))


def _until_path(trunk: Sequence[Segment], path: str) -> list[Segment]:
    kept: list[Segment] = []
    for segment in trunk:
        if segment.path == path:
            break
        kept.append(segment)
    return kept


def _within(trunk: Sequence[Segment], budget_tokens: int) -> list[Segment]:
    """Return the leading segments that fit; a gap would make everything behind it be read again."""
    kept, used = [], 0
    for segment in trunk:
        used += segment.tokens
        if used > budget_tokens:
            break
        kept.append(segment)
    return kept


def _choose_tail(
    cursor: Cursor, found: Sequence[Segment], window: Window, trunk: Sequence[Segment], budget_tokens: int
) -> list[Segment]:
    """Fill the tail greedily by source order and rank; the best one comes last, next to the cursor."""
    text = cursor.snapshot.text
    near = {line.strip() for line in text[window.prefix.start : window.suffix.end].splitlines() if line.strip()}
    fresh = [each for each in found if not _is_shown(each, trunk) and _similarity(each, near) <= SIMILAR_TO_WINDOW]
    chosen: list[Segment] = []
    used = 0
    for segment in fresh:
        overlaps = any(_covers(other, segment) or _covers(segment, other) for other in chosen)
        if overlaps or used + segment.tokens > budget_tokens:
            continue
        chosen.append(segment)
        used += segment.tokens
    return chosen[::-1]


def _is_shown(segment: Segment, trunk: Sequence[Segment]) -> bool:
    """Whether the trunk already holds this very text (an edited file's trunk text is stale and does not count)."""
    return any(each.path == segment.path and segment.text in each.text for each in trunk)


def _covers(outer: Segment, inner: Segment) -> bool:
    return outer.path == inner.path and outer.start_line <= inner.start_line and inner.end_line <= outer.end_line


def _similarity(segment: Segment, near: set[str]) -> float:
    """Share of the segment's lines that stand in the window too."""
    lines = [line.strip() for line in segment.text.splitlines() if line.strip()]
    return sum(line in near for line in lines) / len(lines) if lines else 1.0


async def _lay_out(
    cursor: Cursor,
    layout: Layout,
    counter: TokenCounter,
    window: Window,
    segments: Sequence[Segment],
    budget: Budget,
) -> Packed:
    """Build the parts and count them exactly; what belongs to no file is accounted to the header."""
    text = cursor.snapshot.text
    parts = build_prompt(
        layout.family,
        layout.order,
        repository=layout.repository,
        blocks=[block_of(segment) for segment in segments],
        current_path=cursor.path,
        prefix=window.prefix.text(text),
        suffix=window.suffix.text(text),
    )
    tokens = prompt_tokens(parts, await counter.count(pieces(parts)))
    local = _local_segments(cursor, window)
    frame = tokens - sum(segment.tokens for segment in (*segments, *local))
    header = Segment("", layout.repository, "header", "repository name, path line and control tokens", tokens=frame)
    return Packed(parts, (header, *segments, *local), window, tokens, budget.total_tokens)


def _local_segments(cursor: Cursor, window: Window) -> tuple[Segment, Segment]:
    lines, text = cursor.snapshot.lines, cursor.snapshot.text
    base = Segment(cursor.path, "", "prefix", "")
    prefix = replace(
        base,
        text=window.prefix.text(text),
        reason="before the cursor",
        start_line=lines.line_of(window.prefix.start) + 1,
        end_line=lines.line_of(window.prefix.end) + 1,
        tokens=window.prefix_tokens,
    )
    suffix = replace(
        base,
        kind="suffix",
        text=window.suffix.text(text),
        reason="after the cursor",
        start_line=lines.line_of(window.suffix.start) + 1,
        end_line=lines.line_of(max(window.suffix.start, window.suffix.end - 1)) + 1,
        tokens=window.suffix_tokens,
    )
    return prefix, suffix
