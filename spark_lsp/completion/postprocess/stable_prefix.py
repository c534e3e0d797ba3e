"""Finds the beginning of an unfinished text that no rule can take back later, so that it may be shown.

Pure. The result for the whole text begins with it, so nothing on the screen is replaced.
"""

import re
from typing import Final

from rapidfuzz.distance import Levenshtein

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.trim import CYCLE_MAX_CHARACTERS

SHARE_OF_NEIGHBOUR: Final = 2 / 9
"""A line that ends within a tenth of another one differs from its beginning by no more than this share of it."""

_MAYBE_LEAK = re.compile(r"(?:<\S{0,15}|(?:\n|^)[ \t]*`{1,2})$")
"""What may be the beginning of template text: the longest piece that is only known when it is complete has 15."""
_OPEN_WORD = re.compile(r"\w+$")


def stable_prefix(cursor: CursorContext, text: str) -> str:
    """Return the beginning that stands whatever comes next."""
    if "\n" not in text:
        text = _before_cycle(_before_leak(_OPEN_WORD.sub("", text)))
        return "" if _may_become_neighbour(cursor, text) else _OPEN_WORD.sub("", text)
    lines = text[: text.rfind("\n")].split("\n")
    while len(lines) > 1 and lines[-1].strip() == lines[-2].strip():
        lines.pop()  # a third one would take them back
    whole = "\n".join(lines)
    kept = _before_cycle(_before_leak(whole))
    return kept if kept == whole else kept[: max(0, kept.rfind("\n"))]


def _may_become_neighbour(cursor: CursorContext, text: str) -> bool:
    """Whether the first line may yet turn out to say what the line above or below says."""
    ours = (cursor.line_prefix + text).strip()
    for neighbour in (cursor.next_line.strip(), cursor.previous_line.strip()):
        allowed = int(len(neighbour) * SHARE_OF_NEIGHBOUR)
        if neighbour and Levenshtein.distance(ours, neighbour[: len(ours)], score_cutoff=allowed) <= allowed:
            return True
    return False


def _before_leak(text: str) -> str:
    """Hold back what may be the beginning of leaked template text."""
    return _MAYBE_LEAK.sub("", text)


def _before_cycle(text: str) -> str:
    """Hold back a repetition that reaches the end: said often enough, only its first two times stay."""
    kept = len(text)
    for period in range(1, min(CYCLE_MAX_CHARACTERS, len(text) // 2) + 1):
        run = 0
        while run + period < len(text) and text[-1 - run] == text[-1 - run - period]:
            run += 1
        if run >= period and not text[len(text) - period :].isspace():
            kept = min(kept, len(text) - run + period)
    return text[:kept]
