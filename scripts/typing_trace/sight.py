"""What a reader would mind about a text on the screen, and the figures of a list of times. Pure."""

import statistics
from collections.abc import Sequence
from typing import Final

from spark_lsp.completion.brackets import imbalance
from spark_lsp.completion.cursor_context import CursorContext

MIN_TELLING: Final = 3
"""Letters and digits of a line that a reader would know again."""


def repeats(cursor: CursorContext, text: str, replaced: int) -> bool:
    """Whether a text says again what stands after the cursor."""
    rest = cursor.around[1][replaced:]
    lines = [(cursor.line_prefix + text).splitlines()[0].strip(), *(line.strip() for line in text.splitlines()[1:])]
    telling = [line for line in lines if sum(map(str.isalnum, line)) >= MIN_TELLING]
    tail = rest.lstrip().split("\n", 1)[0].strip()
    return cursor.next_line.strip() in telling or (len(tail) >= MIN_TELLING and text.rstrip().endswith(tail))


def unbalances(cursor: CursorContext, text: str, replaced: int) -> bool:
    """Whether a text leaves a bracket open or over."""
    before, after = cursor.around
    return imbalance(before + text + after[replaced:]) > imbalance(before + after)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return what a share of the samples stays under; 0.0 of none."""
    if len(samples) < 2:
        return round(sum(samples), 2)
    return round(statistics.quantiles(samples, n=100, method="inclusive")[int(share * 100) - 1], 2)
