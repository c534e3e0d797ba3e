"""Samples further candidates for a request made by hand, none of them nearly equal to another.

Waits until its deadline at most, and stops what has not finished by then.
"""

import asyncio
from typing import Final

from rapidfuzz import fuzz

from spark_lsp.completion.postprocess.pipeline import PostprocessResult
from spark_lsp.completion.shared_generation import SharedGeneration
from spark_lsp.completion.writer import Writer

NEARLY_SAME: Final = 90.0
"""Percent of likeness at which two candidates are one to a reader: the tenth of a line that trimming uses."""
TRIES_PER_CANDIDATE: Final = 2


async def other_candidates(
    writer: Writer, generation: SharedGeneration, shown: str, wanted: int, deadline: float
) -> list[PostprocessResult]:
    """Return up to ``wanted`` other texts for a generation's cursor; ``deadline`` is on the event loop's clock."""
    candidates: list[PostprocessResult] = []
    try:
        async with asyncio.timeout_at(deadline):
            for seed in range(1, wanted * TRIES_PER_CANDIDATE + 1):
                processed = (await writer.candidate(generation, seed)).processed
                texts = [shown, *(result.text for result in candidates)]
                if processed.text and all(fuzz.ratio(processed.text, text) < NEARLY_SAME for text in texts):
                    candidates.append(processed)
                if len(candidates) == wanted:
                    break
    except TimeoutError:
        pass  # what has come is enough
    return candidates
