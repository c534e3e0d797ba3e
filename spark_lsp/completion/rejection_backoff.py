"""Raises the confidence that a suggestion needs in a document whose user keeps rejecting suggestions.

The threshold is a pure function of the last outcomes; the state is one streak per document. Requests made by hand are
never affected.
"""

from dataclasses import dataclass
from typing import Final

from spark_lsp.completion.postprocess.confidence import usual_threshold
from spark_lsp.completion.postprocess.known_names import IsKnownName
from spark_lsp.completion.postprocess.pipeline import Terms
from spark_lsp.config import CompletionSettings

FREE: Final = 1
"""So many rejections in a row change nothing: one miss says little."""
STEP: Final = 0.1
"""By how much each further rejection in a row raises the threshold."""
MAX_RISE: Final = 0.3
"""Where it stops: the shipped model still shows two suggestions in five at 0.5 that it shows at 0.2
(docs/evaluation.md)."""
MAX_RAISED: Final = 0.9
"""A model that is surer than this of a whole line is rare."""
FADES_S: Final = 600.0
"""Seconds without a new rejection that end a streak (Copilot's next edits have the same ten minutes)."""


@dataclass(frozen=True, slots=True)
class AnswerBasis:
    """What an answer depends on besides the document and the settings.

    ``model`` is the loaded model's name and ``fingerprint`` names its weights, both empty before it is loaded;
    ``digest`` names what of the workspace a prompt shows.
    """

    model: str = ""
    fingerprint: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class RejectionStreak:
    """Rejections in a row in one document, and when the last one came, on any clock that does not go back."""

    rejections: int = 0
    last_s: float = 0.0

    def rejected(self, now_s: float) -> "RejectionStreak":
        """Return the streak with one rejection more."""
        return RejectionStreak(self.now(now_s).rejections + 1, now_s)

    def now(self, now_s: float) -> "RejectionStreak":
        """Return the remaining streak at a moment."""
        return self if now_s - self.last_s < FADES_S else _NONE


_NONE: Final = RejectionStreak()


def threshold(plain: float, streak: RejectionStreak, *, manual: bool) -> float:
    """Return the chance of being right that a suggestion has to meet; ``plain`` is what the user set.

    Never below ``plain`` while typing, and over it by MAX_RISE at most. 0, which shows everything, stays 0, and
    holds for who asks by hand.
    """
    if manual or not plain:
        return 0.0
    raised = plain + STEP * max(0, streak.rejections - FREE)
    return max(plain, min(plain + MAX_RISE, MAX_RAISED, raised))


def terms_for(
    settings: CompletionSettings,
    basis: AnswerBasis,
    streak: RejectionStreak,
    is_known_name: IsKnownName,
    *,
    manual: bool,
) -> Terms:
    """Return what a suggestion of a model has to meet."""
    plain = usual_threshold(basis.model) if settings.min_confidence == "auto" else settings.min_confidence
    confidence = threshold(plain, streak, manual=manual)
    raised_by = streak.rejections if confidence > plain else 0
    key = settings_key(basis, settings.max_lines, confidence)
    return Terms(settings.max_lines, confidence, is_known_name, raised_by, key)


def settings_key(basis: AnswerBasis, max_lines: int, confidence: float) -> str:
    """Name what an answer depends on besides the document."""
    return f"{basis.fingerprint}:{max_lines}:{confidence}:{basis.digest}"


class RejectionBackoff:
    """The streak of each document. Belongs to one event loop."""

    def __init__(self) -> None:
        self._streaks: dict[str, RejectionStreak] = {}

    def streak(self, uri: str, now_s: float) -> RejectionStreak:
        """Return a document's streak at a moment."""
        return self._streaks.get(uri, _NONE).now(now_s)

    def rejected(self, uri: str, now_s: float) -> None:
        """Note that a suggestion was read and not wanted."""
        self._streaks[uri] = self._streaks.get(uri, _NONE).rejected(now_s)

    def accepted(self, uri: str) -> None:
        """Note that a suggestion was taken, or a part of it: all is as it was before."""
        self._streaks.pop(uri, None)

    def forget(self, uri: str) -> None:
        """Drop a document that was closed."""
        self._streaks.pop(uri, None)
