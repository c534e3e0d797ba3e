"""The window of the current file: how much before and after the cursor goes into the prompt.

Its edges are on line boundaries and move in steps, never with each key, so that what the model has read stays valid.
"""

from dataclasses import dataclass
from itertools import pairwise

from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import LineTable

PREFIX_STEP_TOKENS, SUFFIX_STEP_TOKENS = 64, 32
"""An edge moves by a line for each so many tokens of its limit: a window of 192 tokens in steps of 3 lines. Larger
steps move more seldom, but one must not be a large part of the window."""
MAX_PREFIX_STEP_LINES, MAX_SUFFIX_STEP_LINES = 16, 8
MAX_TOKEN_CHARACTERS = 24  # mean over a window; single tokens of indentation are longer, runs of them are rare


@dataclass(frozen=True, slots=True)
class Window:
    """The spans around the cursor that are shown to the model, with their exact token counts.

    The end of the prefix from ``begun_from`` on, of ``begun_tokens``, stands behind the suffix where the layout has
    that; ``prefix_tokens`` counts it too.
    """

    prefix: Span
    suffix: Span
    prefix_tokens: int
    suffix_tokens: int
    begun_from: int | None = None
    begun_tokens: int = 0

    @property
    def above(self) -> Span:
        """The prefix without what stands behind the suffix."""
        return self.prefix if self.begun_from is None else Span(self.prefix.start, self.begun_from)

    @property
    def begun(self) -> Span:
        """What of the prefix stands behind the suffix; empty for nothing."""
        return Span(self.prefix.end if self.begun_from is None else self.begun_from, self.prefix.end)


async def choose_window(
    counter: TokenCounter, text: str, lines: LineTable, offset: int, *, prefix_tokens: int, suffix_tokens: int
) -> Window:
    """Return the largest window within the token limits.

    The prefix starts at a line whose number is a multiple of its step; the suffix ends a multiple of its step of lines
    after the cursor's line, so neither edge depends on what is typed at the cursor.
    """
    before = min(MAX_PREFIX_STEP_LINES, max(1, prefix_tokens // PREFIX_STEP_TOKENS))
    after = min(MAX_SUFFIX_STEP_LINES, max(1, suffix_tokens // SUFFIX_STEP_TOKENS))
    start, used_before = await _widen(counter, text, _prefix_edges(lines, offset, before), offset, prefix_tokens)
    end, used_after = await _widen(counter, text, _suffix_edges(text, lines, offset, after), offset, suffix_tokens)
    return Window(Span(start, offset), Span(offset, end), used_before, used_after)


async def counted_window(
    prefix: Span, suffix: Span, begun_from: int | None, text: str, counter: TokenCounter
) -> Window:
    """Return the window of these spans; from ``begun_from`` on, the prefix stands behind the suffix."""
    if begun_from is None:
        prefix_tokens, suffix_tokens = await counter.count([prefix.text(text), suffix.text(text)])
        return Window(prefix, suffix, prefix_tokens, suffix_tokens)
    above, begun = Span(prefix.start, begun_from), Span(begun_from, prefix.end)
    counts = await counter.count([above.text(text), begun.text(text), suffix.text(text)])
    above_tokens, begun_tokens, suffix_tokens = counts
    return Window(prefix, suffix, above_tokens + begun_tokens, suffix_tokens, begun_from, begun_tokens)


def _prefix_edges(lines: LineTable, offset: int, step_lines: int) -> list[int]:
    """Starts that a prefix may have, nearest first: the cursor's line, then steps back to the file's start."""
    line = lines.line_of(offset)
    steps = range(line // step_lines * step_lines, -1, -step_lines)
    return [lines.starts[line], *(lines.starts[step] for step in steps)]


def _suffix_edges(text: str, lines: LineTable, offset: int, step_lines: int) -> list[int]:
    """Ends that a suffix may have, nearest first: the end of the cursor's line, then steps on to the file's end."""
    line = lines.line_of(offset)
    steps = range(line + step_lines, len(lines), step_lines)
    return [lines.ends[line], *(lines.starts[step] for step in steps), len(text)]


async def _widen(counter: TokenCounter, text: str, edges: list[int], offset: int, limit: int) -> tuple[int, int]:
    """Return the farthest edge whose text towards the cursor fits the limit, and its exact tokens.

    The texts between neighbouring edges are counted first: all but the nearest are the same as at the last key, so
    their counts are cached. Their sum is within a token or two for each of the whole, which is then counted exactly.
    """
    reachable = [edge for edge in edges if abs(edge - offset) <= limit * MAX_TOKEN_CHARACTERS]
    pieces = [_between(text, edge, nearer) for nearer, edge in pairwise([offset, *reachable])]
    total, fitting = 0, 0
    for tokens in await counter.count(pieces):
        total += tokens
        if total > limit:
            break
        fitting += 1
    while fitting:
        edge = reachable[fitting - 1]
        (tokens,) = await counter.count([_between(text, edge, offset)])
        if tokens <= limit:
            return edge, tokens
        fitting -= 1
    return await _cut_inside_line(counter, text, offset, limit, forward=edges[-1] > offset)


async def _cut_inside_line(
    counter: TokenCounter, text: str, offset: int, limit: int, *, forward: bool
) -> tuple[int, int]:
    """Cut a line that alone is over the limit: halve the characters until they fit."""
    characters = limit * 4
    while characters:
        edge = min(len(text), offset + characters) if forward else max(0, offset - characters)
        (tokens,) = await counter.count([_between(text, edge, offset)])
        if tokens <= limit:
            return edge, tokens
        characters //= 2
    return offset, 0


def _between(text: str, edge: int, offset: int) -> str:
    return text[min(edge, offset) : max(edge, offset)]
