"""Find the unclosed and surplus brackets of a text, except those in quotes. Pure."""

import re
from typing import Final

from spark_lsp.text.quotes import ANY_QUOTES, Quotes

OPENERS: Final = {"(": ")", "[": "]", "{": "}"}
CLOSERS: Final = {closer: opener for opener, closer in OPENERS.items()}
_NO_BRACKET = re.compile(r"[^()\[\]{}]+")


def unclosed(text: str, quotes: Quotes = ANY_QUOTES) -> str:
    """Return the brackets that a text leaves open, outermost first; quoted text on one line does not count."""
    stack: list[str] = []
    for char in quotes.closed.sub("", text):
        if char in OPENERS:
            stack.append(char)
        elif char in CLOSERS and stack and stack[-1] == CLOSERS[char]:
            stack.pop()
    return "".join(stack)


def imbalance(text: str, quotes: Quotes = ANY_QUOTES) -> tuple[int, int]:
    """Return how many brackets a text leaves open, and how many it closes that it did not open."""
    stack: list[str] = []
    over = 0
    for char in brackets_of(text, quotes):
        if char in OPENERS:
            stack.append(char)
        elif stack and stack[-1] == CLOSERS[char]:
            stack.pop()
        else:
            over += 1
    return len(stack), over


def brackets_of(text: str, quotes: Quotes = ANY_QUOTES) -> str:
    """Return the brackets of a text, those in quotes left out."""
    return _NO_BRACKET.sub("", quotes.closed.sub("", text))


def growth_behind(typed: str, before: str, now: str, quotes: Quotes = ANY_QUOTES) -> int | None:
    """Return how much longer the text after the cursor became while something was typed; None after other edits.

    Editors close brackets and quotes behind the cursor, and let closers that stand there be typed over.
    """
    if now == before:
        return 0
    if now.endswith(before):
        added = now[: len(now) - len(before)]
        return len(added) if _closers_behind(typed, quotes).startswith(added) else None
    gone = before[: len(before) - len(now)]
    closed = "".join(typed[at] for at in unopened_at(typed, quotes))
    return -len(gone) if before.endswith(now) and closed.startswith(gone) else None


def _closers_behind(typed: str, quotes: Quotes) -> str:
    """Return the closers of the brackets, and of the quote, that a text leaves open, the innermost first."""
    bare = quotes.closed.sub("", typed)
    opened = quotes.opener.search(bare)
    quote = opened.start() if opened else len(bare)
    return bare[quote : quote + 1] + "".join(OPENERS[char] for char in reversed(unclosed(bare[:quote], quotes)))


def unopened_at(text: str, quotes: Quotes = ANY_QUOTES) -> list[int]:
    """Return where the closers of a text stand that it did not open itself."""
    stack: list[str] = []
    numbers: list[int] = []
    for at, char in enumerate(quotes.blanked(text)):
        if char in OPENERS:
            stack.append(char)
        elif char in CLOSERS:
            if stack and stack[-1] == CLOSERS[char]:
                stack.pop()
            else:
                numbers.append(at)
    return numbers


def first_unopened(open_before: str, text: str, quotes: Quotes = ANY_QUOTES) -> int | None:
    """Return where a bracket is closed that neither ``open_before`` nor the text has opened; half quotes count."""
    stack = list(open_before)
    quote = ""
    for index, char in enumerate(text):
        if quote:
            quote = "" if char in (quote, "\n") and (index == 0 or text[index - 1] != "\\") else quote
        elif char in "\"'`":
            quote = char if quotes.opener.match(text, index) else ""
        elif char in OPENERS:
            stack.append(char)
        elif char in CLOSERS:
            if not stack or stack[-1] != CLOSERS[char]:
                return index
            stack.pop()
    return None
