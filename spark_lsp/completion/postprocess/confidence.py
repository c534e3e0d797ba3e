"""Keep the beginning of a text whose probability of being right stays above a threshold. Pure.

The chance is the product of the tokens' probabilities; an unknown name counts as a token that is likely wrong.
Pure: the same text and scores give the same end, however they were streamed.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.known_names import IsKnownName, unknown_names

Scores = Sequence[tuple[int, float]]
"""For each token, in order, where it ends in the model's text and its probability."""

USUAL_THRESHOLD: Final = 0.5
"""What suits a model that people use, measured with Qwen2.5-Coder-0.5B-Instruct, docs/evaluation.md. Below it the
model thinks too well of itself: what it gives a chance of one half is right in one case of eight."""
EMBEDDED_THRESHOLD: Final = 0.2
"""What suits the embedded model, which is seldom sure of anything."""
EMBEDDED_MODEL: Final = "spark-nano"

UNKNOWN_NAME: Final = 0.5
"""Factor of the probability for an unknown name."""


def usual_threshold(model_name: str) -> float:
    """Return the threshold that suits a model, the higher one while the model is not known."""
    return EMBEDDED_THRESHOLD if model_name == EMBEDDED_MODEL else USUAL_THRESHOLD


def probable_end(text: str, scores: Scores, threshold: float) -> int:
    """Return up to where the model is sure enough of the text; its length when of all of it."""
    return _end_above(threshold, _within(scores, len(text)), len(text))


def confident_end(
    cursor: CursorContext, text: str, scores: Scores, threshold: float, is_known_name: IsKnownName
) -> int:
    """Return the same, each unknown name counted as a doubt of the token that ends it, so that the name is cut too."""
    unknown = list(unknown_names(cursor, text, is_known_name))
    tokens = [*_within(scores, len(text)), (len(text), 1.0)]
    starts = (0, *(end for end, _ in tokens))
    doubts = (
        (end, probability * UNKNOWN_NAME ** sum(start < name_end <= end for name_end in unknown))
        for start, (end, probability) in zip(starts, tokens, strict=False)
    )
    return _end_above(threshold, doubts, len(text))


def _end_above(threshold: float, doubts: Iterable[tuple[int, float]], length: int) -> int:
    chance, sure = 1.0, 0
    for end, probability in doubts:
        chance *= probability
        if chance < threshold:
            return sure
        sure = min(end, length)
    return length


def confidence_of(scores: Scores, length: int) -> float:
    """Return the chance that the first characters are right, as far as the model says."""
    chance = 1.0
    for _, probability in _within(scores, length):
        chance *= probability
    return chance


def _within(scores: Scores, length: int) -> Iterator[tuple[int, float]]:
    """Yield the tokens that begin within a length."""
    start = 0
    for end, probability in scores:
        if start >= length:
            return
        yield end, probability
        start = end
