"""Keeps the longest beginning of a trimmed text that fits into the document. Pure, in named steps.

Adds nothing but indentation; cuts or drops what it cannot fix, and names the rule.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from spark_lsp.completion.brackets import imbalance, unclosed, unopened_at
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.indent import fix_indentation
from spark_lsp.text.edit import Span

_LONG_QUOTES = ('"""', "'''")
_WORD_ENDS = re.compile(r"(?<=\w)(?!\w)|(?<=[)\]}])|(?<=[\"'`])(?=[^\"'`])")
_STRING_PREFIX = re.compile(r"(?<!\w)[rbfut]{1,2}\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sanitized:
    """The text to insert, how many characters right of the cursor it replaces, and the rule that emptied it."""

    text: str
    replaced: int
    rule: str


def sanitize(cursor: CursorContext, text: str, *, whole: bool = True, tries: int | None = None) -> Sanitized:
    """Return what may be shown; an empty text names its rule.

    A text that is not ``whole`` was cut somewhere, so it ends at its last word at most. ``tries`` bounds the ends that
    are looked at: while the model still speaks another word is soon there.
    """
    text = fix_indentation(cursor, text).rstrip()
    if not text.strip():
        return Sanitized("", 0, "blank")
    if repeats_neighbour(cursor, text):
        return Sanitized("", 0, "duplicate")
    is_there_already = False
    for end in islice(_ends(cursor, text, whole=whole), tries):
        cut, replaced = fit_rest_of_line(cursor, text[:end].rstrip())
        if not cut.strip():
            continue
        if cut == cursor.line_suffix[:replaced]:
            is_there_already = True
        elif is_fit(cursor, cut, replaced):
            return Sanitized(cut, replaced, "")
    return Sanitized("", 0, "suffix") if is_there_already else Sanitized("", 0, "syntax")


def repeats_neighbour(cursor: CursorContext, text: str) -> bool:
    """Whether the first line says again what the next or the previous line says."""
    first = (cursor.line_prefix + text.split("\n", 1)[0]).strip()
    is_telling = sum(char.isalnum() for char in first) >= 3
    return is_telling and first in (cursor.next_line.strip(), cursor.previous_line.strip())


def fit_rest_of_line(cursor: CursorContext, text: str) -> tuple[str, int]:
    """Replace what the line already has after the cursor and the text brings itself.

    ``foo(|)`` with ``a, b)`` replaces the ``)``; ``foo(|):`` with ``a):`` replaces ``):``. Blanks before a closer stay,
    ``foo( | )`` with ``a)`` becomes ``foo( a )``: an editor hides a text that lacks what it replaces.
    """
    rest = cursor.line_suffix.rstrip()
    if not rest.strip():
        return text, 0
    first_line = text.split("\n", 1)[0]
    if first_line.endswith(rest) and imbalance(first_line[: -len(rest)], cursor.quotes) <= (0, 0):
        return text, len(rest)
    closers, blanks = iter(unopened_at(first_line, cursor.quotes)), ""
    sanitized, taken, replaced = "", 0, 0
    for number, char in enumerate(rest, 1):
        if char.isspace():
            blanks += char
            continue
        at = next(closers, None)
        if at is None or first_line[at] != char:
            break
        before = first_line[taken:at]
        sanitized += (before if before.endswith(blanks) else before + blanks) + char
        taken, replaced, blanks = at + 1, number, ""
    return sanitized + text[taken:], replaced


def cuts_string(text: str, end: int) -> bool:
    """Whether a cut would leave the letters that a string begins with, and not the string: ``f`` of ``f"x"``."""
    return text[end : end + 1] in {'"', "'"} and _STRING_PREFIX.search(text[:end]) is not None


def leaves_string_open(cursor: CursorContext, text: str, end: int) -> bool:
    """Whether a cut in the first line leaves a string open that was closed at the cursor: ``"he`` of ``"he"``."""
    if cursor.language is None:
        return False
    line = cursor.quotes.blanked(cursor.line_prefix + text[:end])
    code = line.partition(cursor.language.line_comment)[0] if cursor.language.line_comment else line
    before = cursor.quotes.blanked(cursor.line_prefix)
    return cursor.quotes.opener.search(code) is not None and cursor.quotes.opener.search(before) is None


def is_fit(cursor: CursorContext, text: str, replaced: int) -> bool:
    """Whether a text leaves no bracket open or over, no expression half, and the document parses no worse with it."""
    if any(text.count(quote) % 2 and cursor.snapshot.text.count(quote) % 2 == 0 for quote in _LONG_QUOTES):
        return False  # as the parse would tell, but for the rest of the file it is costly
    opened, closed = cursor.imbalance_with(text, replaced)
    opened_before, closed_before = cursor.imbalance_with()
    if opened > opened_before or closed > closed_before:
        return False
    if unclosed(text, cursor.quotes) and (
        closed == closed_before or opened > _opened_by_closers(cursor, text, replaced)
    ):
        return False  # it closes one bracket and leaves another one open
    if cursor.tree is None:
        return True
    edited = cursor.tree.edited(Span(cursor.offset, cursor.offset + replaced), text)
    if edited.dangles_at(cursor.offset + len(text)) and not cursor.line_suffix.strip():
        return False
    return edited.error_count <= cursor.tree.error_count


def _opened_by_closers(cursor: CursorContext, text: str, replaced: int) -> int:
    """Return how many brackets stay open with only the closers of a text that close what was open before it."""
    closers = "".join(text[at] for at in unopened_at(text, cursor.quotes))
    return cursor.imbalance_with(closers, replaced)[0]


def _ends(cursor: CursorContext, text: str, *, whole: bool) -> Iterator[int]:
    """Yield where the text may be cut, the latest first: its end, its lines' ends, and the words of its first line."""
    first = text.find("\n")
    ends = [match.start() for match in re.finditer("\n", text)]
    places = [match.start() for match in _WORD_ENDS.finditer(text[: first if first >= 0 else len(text)])]
    words = [place for place in places if not (cuts_string(text, place) or leaves_string_open(cursor, text, place))]
    yield from sorted({*words, *ends, *([len(text)] if whole or ends else [])}, reverse=True)
