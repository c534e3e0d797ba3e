"""A prompt that goes on while the user types in it: what the model has prefilled stays, what was typed is added.

The best prompt for a cursor changes with most lines: an edge of the window moves, other snippets rank higher. Each such
change makes the model prefill hundreds of tokens again. So typing continues the last prompt of its document, and a
better one is prefilled while nothing is typed. Pure, but for counting tokens.
"""

from collections.abc import Sequence

from spark_lsp.engine.fim import Order
from spark_lsp.prompt.pack import Layout, Packed, frame_tokens, lay_out
from spark_lsp.prompt.segment import Segment
from spark_lsp.prompt.sources import PromptCursor
from spark_lsp.prompt.token_counts import TokenCounter
from spark_lsp.prompt.window import Window, counted_window
from spark_lsp.text.edit import Span

MAX_GROWTH = 2.0
"""How much longer than its limit a window may become by typing, before or after the cursor: some twenty lines more."""
LOCAL_KINDS = frozenset({"header", "imports", "prefix", "suffix"})
_CHECKED_CHARACTERS = 200  # of the text at each edge of a window; equal ones mean that it is the same place


async def continued(
    previous: Packed, old_text: str, cursor: PromptCursor, layout: Layout, counter: TokenCounter, *, max_tokens: int
) -> Packed | None:
    """Return the prompt of an older text of the document for its text of now.

    None where the cursor has left the window, the window has become too long, or the prompt would have more than
    ``max_tokens``. Raises what ``TokenCounter.count`` raises.
    """
    spans = continued_window(previous.window, old_text, cursor.snapshot.text, cursor.offset)
    if spans is None:
        return None
    prefix, suffix = spans
    text = cursor.snapshot.text
    begun_from = None
    if previous.window.begun_from is not None:
        begun_from = _begun_from(previous.window, old_text, text, prefix)
        if begun_from is None:
            return None
    window = await counted_window(prefix, suffix, begun_from, text, counter)
    limits = previous.limits
    if (
        window.prefix_tokens > MAX_GROWTH * limits.prefix_tokens
        or window.suffix_tokens > MAX_GROWTH * limits.suffix_tokens
    ):
        return None
    others = [segment for segment in previous.segments if segment.kind not in LOCAL_KINDS]
    opening = next((segment for segment in previous.segments if segment.kind == "imports"), None)
    frame = await frame_tokens(cursor, layout, counter, window)
    packed = lay_out(cursor, layout, window, others, opening, limits, frame)
    return packed if packed.tokens <= max_tokens else None


def continued_window(old: Window, old_text: str, text: str, offset: int) -> tuple[Span, Span] | None:
    """Return where a window's edges stand in the text of now; None where they, or the cursor between them, are gone.

    An edge is known again by the text at it. An edit above the window moves the first edge, one below it the second.
    """
    grown = len(text) - len(old_text)
    start = _same_place(old_text, old.prefix.start, text, grown)
    if start is None or not start <= offset:
        return None
    behind = len(old_text) - old.suffix.end
    end = len(text) - behind
    if end < offset or not _is_alike(old_text[old.suffix.end :], text[end:]):
        end = old.suffix.end  # something below was edited too
        if end < offset or not _is_alike(old_text[end:], text[end:]):
            return None
    return Span(start, offset), Span(offset, end)


def _begun_from(old: Window, old_text: str, text: str, prefix: Span) -> int | None:
    """Return where what stands behind the suffix begins now: all above it must be as it was, or it is read again."""
    above = old.above.text(old_text)
    begun_from = prefix.start + len(above)
    return begun_from if begun_from <= prefix.end and text.startswith(above, prefix.start) else None


def unread_tokens(packed: Packed, prefilled: Packed | None, order: Order) -> int:
    """Return how many tokens of a prompt must be prefilled where another one was, or its cached segments alone."""
    segments = _in_order(packed, order)
    cached = sum(1 for _ in _leading_cached(segments))
    fewest = sum(segment.tokens for segment in segments[cached:])
    if prefilled is None:
        return fewest
    known = _in_order(prefilled, order)
    same = 0
    while same < min(len(segments), len(known)) and _key(segments[same]) == _key(known[same]):
        same += 1
    unread = sum(segment.tokens for segment in segments[same:])
    if same < min(len(segments), len(known)):
        unread -= _shared_tokens(segments[same], known[same])
    return min(fewest, unread)


def _same_place(old_text: str, place: int, text: str, grown: int) -> int | None:
    before = old_text[max(0, place - _CHECKED_CHARACTERS) : place]
    for candidate in (place, place + grown):
        if 0 <= candidate <= len(text) and text[max(0, candidate - _CHECKED_CHARACTERS) : candidate] == before:
            return candidate
    return None


def _is_alike(old_rest: str, rest: str) -> bool:
    return rest[:_CHECKED_CHARACTERS] == old_rest[:_CHECKED_CHARACTERS]


def _in_order(packed: Packed, order: Order) -> list[Segment]:
    """Return the segments without the header, as the model reads them."""
    segments = list(packed.segments[1:])
    if order == "psm":
        return segments
    local = [segment for segment in segments if segment.kind in LOCAL_KINDS]
    others = [segment for segment in segments if segment.kind not in LOCAL_KINDS]
    return [*others, *sorted(local, key=lambda segment: segment.kind != "suffix")]


def _leading_cached(segments: Sequence[Segment]) -> Sequence[Segment]:
    cached = 0
    while cached < len(segments) and segments[cached].cached:
        cached += 1
    return segments[:cached]


def _key(segment: Segment) -> tuple[str, str, str]:
    return segment.path, segment.kind, segment.text


def _shared_tokens(segment: Segment, known: Segment) -> int:
    """Estimate the tokens that two prefixes begin with alike, from their characters."""
    if (segment.kind, segment.path) != (known.kind, known.path) or segment.kind != "prefix" or not segment.text:
        return 0
    pairs = enumerate(zip(segment.text, known.text, strict=False))
    same = next((at for at, (now, before) in pairs if now != before), min(len(segment.text), len(known.text)))
    return segment.tokens * same // len(segment.text)
