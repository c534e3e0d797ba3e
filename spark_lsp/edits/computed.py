"""The computed sources in their order; the first that has something decides. Pure; belongs on a worker thread."""

from collections.abc import Callable
from typing import Final

from spark_lsp.edits.chain import Chain
from spark_lsp.edits.next_edit import NOTHING, Silence, Situation
from spark_lsp.edits.rename_source import Found, rename_edits

SOURCES: Final[tuple[Callable[[Situation], Found | Silence], ...]] = (rename_edits,)


def computed(situation: Situation) -> Chain | Silence:
    """Return the edits that follow from the last ones, or why there are none."""
    silence = NOTHING
    if not situation.texts_before:
        return NOTHING
    for source in SOURCES:
        try:
            answer = source(situation)
        except RecursionError:
            continue
        if isinstance(answer, Silence):
            silence = answer if silence is NOTHING else silence
        elif answer.edits or answer.more:
            return Chain(answer.edits, answer.more, situation.path, situation.text)
    return silence
