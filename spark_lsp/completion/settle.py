"""What of a text that is still being written can no longer be taken back by a rule, so that it may be shown.

Pure. Whatever trimming and cleaning make of the whole text later begins with it: nothing on the screen is replaced.
"""

import re
from typing import Final

from rapidfuzz.distance import Levenshtein

from spark_lsp.completion.hole import Hole
from spark_lsp.completion.trim import CYCLE_LONGEST_CHARACTERS

LONGEST_LEAK: Final = 16
"""Characters of the longest piece of template text that is only known when it is complete."""
SHARE_OF_NEIGHBOUR: Final = 2 / 9
"""A line that ends within a tenth of another one differs from its beginning by no more than this share of it."""

_OPEN_WORD = re.compile(r"\w+$")


def settled(hole: Hole, text: str) -> str:
    """Return the beginning that stands whatever comes next."""
    head, newline, _ = text.partition("\n")
    if newline:
        lines = text[: text.rfind("\n")].split("\n")
        while len(lines) > 1 and lines[-1].strip() == lines[-2].strip():
            lines.pop()  # a third one would take them back
        text = "\n".join(lines)
    else:
        text = _OPEN_WORD.sub("", head)
        if _may_become_neighbour(hole, text):
            return ""
    return _before_cycle(_before_leak(text))


def _may_become_neighbour(hole: Hole, head: str) -> bool:
    """Whether the first line may yet turn out to say what the line above or below says."""
    ours = (hole.line_prefix + head).strip()
    for neighbour in (hole.next_line.strip(), hole.previous_line.strip()):
        allowed = int(len(neighbour) * SHARE_OF_NEIGHBOUR)
        if neighbour and Levenshtein.distance(ours, neighbour[: len(ours)], score_cutoff=allowed) <= allowed:
            return True
    return False


def _before_leak(text: str) -> str:
    """Hold back what may be the beginning of leaked template text."""
    tail = max(0, len(text) - LONGEST_LEAK)
    found = [at for mark in ("<", "\n`") if (at := text.find(mark, tail)) >= 0]
    return text[: min(found)] if found else text


def _before_cycle(text: str) -> str:
    """Hold back a repetition that reaches the end: said often enough, only its first two times stay."""
    kept = len(text)
    for period in range(1, min(CYCLE_LONGEST_CHARACTERS, len(text) // 2) + 1):
        run = 0
        while run + period < len(text) and text[-1 - run] == text[-1 - run - period]:
            run += 1
        if run >= period and not text[len(text) - period :].isspace():
            kept = min(kept, len(text) - run + period)
    return text[:kept]
