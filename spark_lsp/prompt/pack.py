"""Packing: from segments and a window to a prompt that keeps an exact token budget.

Order is stable first: header, cached prefix, then the snippets with the best one nearest to the cursor. Deterministic:
the same inputs give the same prompt. Never cuts the cached prefix from the front and never shows the current file
twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import takewhile
from math import exp, log
from typing import Literal

from spark_lsp.engine.base import PromptPart
from spark_lsp.engine.fim import FimFamily, build_prompt, pieces, prompt_tokens
from spark_lsp.prompt.budget import Budget
from spark_lsp.prompt.cached_prefix import block_of, count_segments
from spark_lsp.prompt.file_imports import opening_of
from spark_lsp.prompt.layout_style import PLAIN, Style
from spark_lsp.prompt.segment import Segment, SegmentKind
from spark_lsp.prompt.similar_lines import LIKELY_SCORE
from spark_lsp.prompt.snippets import Candidate, grouped_by_file
from spark_lsp.prompt.sources import PromptCursor
from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.prompt.window import Window, choose_window, counted_window
from spark_lsp.text.edit import Span

BEGUN_LINES = 4
"""How many lines above the cursor's own stand behind the middle token: docs/decisions/begun-lines.md."""
SPARE_STEP_TOKENS = 64  # some ten lines of typing
SIZE_PENALTY = 0.5  # per factor e of tokens; between ranking by score and by score per token
WORTH_READING = 0.05
"""Needed names that new snippets have to show more for the window behind it to be prefilled again, where that takes no
longer than the first-token target; ``worth_reading`` is more on a slower machine."""
MAX_WORTH_READING = 0.75
"""A name that is needed for certain counts 1, so even the slowest machine takes up a definition that it lacks."""
SIMILAR_TO_WINDOW = 0.5
"""A snippet that shares more of its lines with the window is left out: such chunks make a model repeat (llama.vim).
Not so one that goes on where the window ends: there it is what a real model does best with."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A prompt and the account of it. ``segments`` are in prompt order; their tokens add up to ``tokens``."""

    parts: tuple[PromptPart, ...]
    segments: tuple[Segment, ...]
    window: Window
    tokens: int
    limits: Budget
    gather_ms: float = 0.0
    pack_ms: float = 0.0

    @property
    def budget_tokens(self) -> int:
        """Most tokens that the prompt may have."""
        return self.limits.total_tokens

    @property
    def text(self) -> str:
        """The whole prompt as the model sees it, special tokens by their text."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Layout:
    """The form of a prompt: the model's family, order and style, and the repository's name."""

    family: FimFamily
    order: Literal["psm", "spm"]
    repository: str
    style: Style = PLAIN

    @property
    def begins_middle(self) -> bool:
        """Whether the last lines before the cursor stand behind the middle token."""
        return self.order == "psm" and self.family.begins_middle


async def pack(
    cursor: PromptCursor,
    layout: Layout,
    counter: TokenCounter,
    budget: Budget,
    *,
    cached_prefix: Sequence[Segment],
    candidates: Sequence[Candidate],
    shown: Sequence[Segment] = (),
    worth_reading: float = WORTH_READING,
) -> Packed:
    """Choose the window and the snippets, and build the prompt.

    ``candidates`` for the snippets are counted. ``cached_prefix`` are the stable segments that may be used, in order;
    those of the current file are left out (it is never shown twice). ``shown`` are the snippets of the last prompt,
    which stay as long as new ones would not show ``worth_reading`` needed names more. Raises what
    ``TokenCounter.count`` raises.
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
    if layout.begins_middle:
        first = max(0, snapshot.lines.line_of(cursor.offset) - BEGUN_LINES)
        begun_from = max(window.prefix.start, snapshot.lines.starts[first])
        window = await counted_window(window.prefix, window.suffix, begun_from, snapshot.text, counter)
    frame = await frame_tokens(cursor, layout, counter, window)
    most = budget.total_tokens - frame - window.prefix_tokens - window.suffix_tokens
    prefix_limit = min(_cached_prefix_limit(cached_prefix, budget), most)
    stable = _leading_fit(_until_path(cached_prefix, cursor.path), prefix_limit)
    limit = min(_snippet_tokens(budget, window, stable), most - sum(segment.tokens for segment in stable))
    opening = await opening_of(cursor, window.prefix, counter, int(limit * layout.style.opening_share))
    similar_limit = int(limit * layout.style.similar_share)
    limit -= opening.tokens if opening else 0
    known = _ShownLines(stable, window, snapshot.text)
    fresh = [piece for piece in candidates if not known.has(piece.segment)]
    similar = await _similar(fresh, min(similar_limit, limit), counter, layout.family)
    chosen = _chosen(_not_in(fresh, similar), limit - sum(segment.tokens for segment in similar))
    snippets = [*await count_segments(grouped_by_file(chosen), counter, layout.family), *similar]
    while chosen and sum(segment.tokens for segment in snippets) > limit:
        # Snippets were counted apart; grouped they take a token more here and there.
        chosen.remove(min(chosen, key=lambda segment: segment.score))
        snippets = [*await count_segments(grouped_by_file(chosen), counter, layout.family), *similar]
    if _is_enough(shown, snippets, fresh, limit, worth_reading):
        snippets = list(shown)
    return lay_out(cursor, layout, window, [*stable, *snippets], opening, budget, frame)


def _snippet_tokens(budget: Budget, window: Window, cached_prefix: Sequence[Segment]) -> int:
    """Return the snippets' limit: their own part, and what a short file leaves of the window's, in coarse steps."""
    spare = budget.prefix_tokens - window.prefix_tokens + budget.suffix_tokens - window.suffix_tokens
    own = budget.snippet_tokens + spare // SPARE_STEP_TOKENS * SPARE_STEP_TOKENS
    return min(own, budget.shared_tokens + spare - sum(segment.tokens for segment in cached_prefix))


def _cached_prefix_limit(cached_prefix: Sequence[Segment], budget: Budget) -> int:
    """Return what the cached prefix may take: all that other files may have where it fits whole, else its part."""
    whole = sum(segment.tokens for segment in cached_prefix)
    return budget.shared_tokens if whole <= budget.shared_tokens else budget.cached_prefix_tokens


def _until_path(cached_prefix: Sequence[Segment], path: str) -> Iterator[Segment]:
    """Yield what stands before the current file; what follows would be prefilled again, see ``cached_prefix.py``."""
    return takewhile(lambda segment: segment.path != path, cached_prefix)


def _leading_fit(cached_prefix: Iterable[Segment], budget_tokens: int) -> list[Segment]:
    """Return the leading segments that fit; a gap would make everything behind it be read again."""
    kept, used = [], 0
    for segment in cached_prefix:
        used += segment.tokens
        if used > budget_tokens:
            break
        kept.append(segment)
    return kept


def _chosen(pieces: Sequence[Candidate], budget_tokens: int) -> list[Segment]:
    """Take snippets that fit, best first by score and size; a path line is paid once for all snippets of its file."""
    by_path: dict[str, list[tuple[float, int]]] = {}
    waiting: list[tuple[float, int]] = []
    for number, piece in enumerate(pieces):
        by_path.setdefault(piece.segment.path, []).append((-_worth(piece, piece.text_tokens), number))
        waiting.append((-_worth(piece, piece.text_tokens + piece.frame_tokens), number))
    heapify(waiting)
    chosen: list[Segment] = []
    taken: set[int] = set()
    paid: set[str] = set()
    used = 0
    while waiting:
        _, number = heappop(waiting)
        piece = pieces[number]
        path = piece.segment.path
        cost = piece.text_tokens + (0 if path in paid else piece.frame_tokens)
        if number in taken or used + cost > budget_tokens:
            continue
        taken.add(number)
        chosen.append(piece.segment)
        used += cost
        if path not in paid:  # the others of this file have become cheaper
            paid.add(path)
            for again in by_path[path]:
                heappush(waiting, again)
    return chosen


async def _similar(
    pieces: Sequence[Candidate], budget_tokens: int, counter: TokenCounter, family: FimFamily
) -> list[Segment]:
    """Take the lines that are most like those at the cursor while they fit; the best come last, next to the window."""
    best = sorted(
        (piece.segment for piece in pieces if piece.segment.kind == "similar"), key=lambda segment: -segment.score
    )
    taken: list[Segment] = []
    for segment in await count_segments(best, counter, family):
        if segment.tokens <= budget_tokens:
            taken.append(segment)
            budget_tokens -= segment.tokens
    return taken[::-1]


def _not_in(pieces: Sequence[Candidate], shown: Sequence[Segment]) -> list[Candidate]:
    """Return the snippets that are not similar lines and overlap none."""
    return [
        piece
        for piece in pieces
        if piece.segment.kind != "similar"
        and not any(previous.path == piece.segment.path and piece.segment.text in previous.text for previous in shown)
    ]


def _worth(piece: Candidate, tokens: int) -> float:
    return piece.segment.score - SIZE_PENALTY * log(tokens + 1)


def _is_enough(
    shown: Sequence[Segment],
    snippets: Sequence[Segment],
    candidates: Sequence[Candidate],
    limit: int,
    worth_reading: float,
) -> bool:
    """Whether the snippets in the model's memory show nearly as much of what is needed as new ones would."""
    if not shown or sum(segment.tokens for segment in shown) > limit:
        return False
    held = {(segment.path, line) for segment in shown for line in segment.text.split("\n")}
    fresh = {(segment.path, line) for segment in snippets for line in segment.text.split("\n")}
    gained = lost = 0.0
    for piece in candidates:
        key = (piece.segment.path, piece.segment.text.split("\n")[0])
        gained += _likelihood(piece.segment.score) if key in fresh and key not in held else 0.0
        lost += _likelihood(piece.segment.score) if key in held and key not in fresh else 0.0
    return gained - lost <= worth_reading


def worth_reading(volatile_ms: float, target_ms: float) -> float:
    """Return by how many needed names new snippets have to be better, where prefilling all behind it takes so long."""
    return min(MAX_WORTH_READING, WORTH_READING * max(1.0, volatile_ms / max(target_ms, 1.0)))


def _likelihood(score: float) -> float:
    return 1 / (1 + exp(LIKELY_SCORE - score))


class _ShownLines:
    """Lines that a prompt shows already, by path, so that no snippet is shown twice."""

    def __init__(self, cached_prefix: Iterable[Segment], window: Window, text: str) -> None:
        self._texts: dict[str, list[str]] = {}
        for segment in cached_prefix:
            self._texts.setdefault(segment.path, []).append(segment.text)
        near = text[window.prefix.start : window.suffix.end]
        self._near = {line.strip() for line in near.splitlines() if line.strip()}

    def has(self, segment: Segment) -> bool:
        """Whether the prefix holds this text (what was edited since is stale there), or the window most of it."""
        texts = self._texts.get(segment.path)
        if texts is not None and any(segment.text in text for text in texts):
            return True
        return segment.kind != "similar" and _similarity(segment, self._near) > SIMILAR_TO_WINDOW


def _similarity(segment: Segment, near: set[str]) -> float:
    """Share of the segment's lines that stand in the window too."""
    lines = [line.strip() for line in segment.text.splitlines() if line.strip()]
    return sum(line in near for line in lines) / len(lines) if lines else 1.0


async def frame_tokens(cursor: PromptCursor, layout: Layout, counter: TokenCounter, window: Window) -> int:
    """Count what belongs to no file: the repository's name, the current file's path line, the special tokens.

    A text part is always tokenised by itself, so these are the same whatever other files are shown.
    """
    parts = _parts(cursor, layout, window, (), None)
    whole = prompt_tokens(parts, await counter.count(pieces(parts)))
    return whole - window.prefix_tokens - window.suffix_tokens


def _parts(
    cursor: PromptCursor, layout: Layout, window: Window, segments: Sequence[Segment], opening: Segment | None
) -> tuple[PromptPart, ...]:
    text = cursor.snapshot.text
    return build_prompt(
        layout.family,
        layout.order,
        repository=layout.repository,
        blocks=[block_of(segment) for segment in segments],
        current_path=cursor.path,
        prefix=window.above.text(text),
        suffix=window.suffix.text(text),
        opening=opening.text if opening else "",
        begun=window.begun.text(text),
    )


def lay_out(
    cursor: PromptCursor,
    layout: Layout,
    window: Window,
    segments: Sequence[Segment],
    opening: Segment | None,
    budget: Budget,
    frame: int,
) -> Packed:
    """Build the prompt; its tokens are the sum of what its parts were counted to."""
    local = (*((opening,) if opening else ()), *_local_segments(cursor, window))
    header = Segment("", layout.repository, "header", "repository name, path line and special tokens", tokens=frame)
    shown = (header, *segments, *local)
    tokens = sum(segment.tokens for segment in shown)
    return Packed(_parts(cursor, layout, window, segments, opening), shown, window, tokens, budget)


def _local_segments(cursor: PromptCursor, window: Window) -> list[Segment]:
    """Return the window's segments in prompt order."""
    above = window.prefix_tokens - window.begun_tokens
    segments = [
        _local_segment(cursor, "prefix", window.above, "before the cursor", above),
        _local_segment(cursor, "suffix", window.suffix, "after the cursor", window.suffix_tokens),
    ]
    if len(window.begun):
        segments.append(
            _local_segment(cursor, "prefix", window.begun, "lines begun at the cursor", window.begun_tokens)
        )
    return segments


def _local_segment(cursor: PromptCursor, kind: SegmentKind, span: Span, reason: str, tokens: int) -> Segment:
    lines, text = cursor.snapshot.lines, cursor.snapshot.text
    first, last = lines.line_of(span.start), lines.line_of(max(span.start, span.end - (kind == "suffix")))
    return Segment(cursor.path, span.text(text), kind, reason, start_line=first + 1, end_line=last + 1, tokens=tokens)
