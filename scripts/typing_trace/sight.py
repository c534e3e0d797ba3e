"""Find visible defects of a suggestion, and compute percentiles. Pure."""

import statistics
from collections.abc import Sequence
from typing import Final

from spark_lsp.completion.brackets import imbalance
from spark_lsp.completion.cursor_context import CursorContext

MIN_TELLING: Final = 3
"""Letters and digits in a line that a reader would recognise."""


def repeats(cursor: CursorContext, text: str, replaced: int) -> bool:
    """Whether a text repeats the text after the cursor."""
    rest = cursor.around[1][replaced:]
    lines = [(cursor.line_prefix + text).splitlines()[0].strip(), *(line.strip() for line in text.splitlines()[1:])]
    telling = [line for line in lines if sum(map(str.isalnum, line)) >= MIN_TELLING]
    tail = rest.lstrip().split("\n", 1)[0].strip()
    return cursor.next_line.strip() in telling or (len(tail) >= MIN_TELLING and text.rstrip().endswith(tail))


def unbalances(cursor: CursorContext, text: str, replaced: int) -> bool:
    """Whether a text leaves a bracket open, or closes one too many; within a half-typed string there are none."""
    before, after = cursor.around
    opened = cursor.quotes.opener.search(cursor.quotes.blanked(cursor.line_prefix))
    if opened:
        _, quote, text = text.partition(opened[0][-1])
        if not quote:
            return False
        before = before[: len(before) - len(cursor.line_prefix) + opened.start()]
    return imbalance(before + text + after[replaced:]) > imbalance(before + after)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the value below which a share of the samples is; 0.0 without samples."""
    if len(samples) < 2:
        return round(sum(samples), 2)
    return round(statistics.quantiles(samples, n=100, method="inclusive")[int(share * 100) - 1], 2)
