"""Ask the computed sources in order; the first that has an edit decides. Pure; must run on a worker thread."""

from collections.abc import Callable
from typing import Final

from spark_lsp.edits.chain import Chain
from spark_lsp.edits.diagnostic_source import diagnostic_edits
from spark_lsp.edits.import_source import import_edits
from spark_lsp.edits.next_edit import NOTHING, NextEdit, Silence, Situation
from spark_lsp.edits.rename_source import SourceEdits, rename_edits
from spark_lsp.edits.repeated_source import repeated_edits
from spark_lsp.edits.signature_source import signature_edits

SOURCES: Final[tuple[Callable[[Situation], SourceEdits | Silence], ...]] = (
    rename_edits,
    signature_edits,
    import_edits,
    repeated_edits,
    diagnostic_edits,
)


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
            if source is rename_edits:
                answer = _with_signature(answer, signature_edits(situation))
            return Chain(answer.edits, answer.more, situation.path, situation.text)
    return silence


def _with_signature(renaming: SourceEdits, signature: SourceEdits | Silence) -> SourceEdits:
    """Return a renaming with the calls that pass the renamed parameter by its name."""
    if isinstance(signature, Silence):
        return renaming
    own = tuple(edit for edit in signature.edits if not any(_overlap(edit, place) for place in renaming.edits))
    if len(own) < len(signature.edits) or (renaming.more and signature.more):
        return renaming
    return SourceEdits(renaming.edits + own, renaming.more or signature.more)


def _overlap(first: NextEdit, second: NextEdit) -> bool:
    return first.span.start < second.span.end and second.span.start < first.span.end
