"""Turn the model's output into the text that may be shown: trim, stable prefix, confidence, sanitize, in this order.

A pure function of the text and its scores: the slices of the stream never matter, and the result for an unfinished
text, if any, is a beginning of the result for every longer one.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.confidence import Scores, confidence_of, confident_end, probable_end
from spark_lsp.completion.postprocess.known_names import IsKnownName
from spark_lsp.completion.postprocess.sanitize import Sanitized, cuts_string, sanitize
from spark_lsp.completion.postprocess.stable_prefix import stable_prefix
from spark_lsp.completion.postprocess.trim import trim
from spark_lsp.text.snapshot import with_line_feeds

_OPEN_WORD = re.compile(r"\w+$")
TRIES_WHILE_SPEAKING = 3
MIN_SURE_CHARACTERS = 3  # a confident "(" or "x" is no help

_sanitize = lru_cache(maxsize=8)(sanitize)  # most chunks settle nothing


@dataclass(frozen=True)
class Terms:
    """What a suggestion has to meet. ``confidence`` 0 shows everything, as when asked by hand."""

    max_lines: int
    confidence: float = 0.0
    is_known_name: IsKnownName = field(default=lambda _name: True)
    raised_by: int = 0
    """How many rejections in a row raised the confidence."""
    settings_key: str = ""
    """Names what an answer depends on besides the document."""


@dataclass(frozen=True, slots=True)
class PostprocessResult:
    """What may be shown, how much after the cursor it replaces, and the rule that cut or emptied it.

    ``done``: the model can stop. ``settled``: whatever it says from here on, no more of it can be shown.
    ``confidence``: the chance that the text is right, as the model sees it.
    """

    text: str = ""
    replaced: int = 0
    rule: str = ""
    done: bool = False
    confidence: float = 1.0
    settled: bool = False


def postprocess(
    cursor: CursorContext, raw: str, scores: Scores, terms: Terms, *, finished: bool, whole: bool = True
) -> PostprocessResult:
    """Judge what the model has said by now.

    The model may end lines as it likes; what is shown has the document's line ends.
    ``finished``: it says no more. ``whole``: it ended by itself, rather than at a limit in the middle of a word.
    """
    if "\r" in raw:
        scores, raw = [(len(with_line_feeds(raw[:end])), chance) for end, chance in scores], with_line_feeds(raw)
    trimmed = trim(cursor, raw, max_lines=terms.max_lines, finished=finished)
    is_whole = trimmed.done and (whole or bool(trimmed.rule)) and trimmed.rule != "cycle"
    text = trimmed.text if is_whole else stable_prefix(cursor, trimmed.text)
    rule = trimmed.rule
    is_settled = trimmed.done
    if terms.confidence and text.strip():
        probable = probable_end(text, scores, terms.confidence)
        if probable < len(text):  # for good: each further token only makes the chance smaller
            sure_part = _sure_part(text, probable)
            text, rule, is_whole, is_settled = sure_part.text, sure_part.rule, False, True
        sure = confident_end(cursor, text, scores, terms.confidence, terms.is_known_name)
        if sure < len(text):
            sure_part = _sure_part(text, sure)
            text, rule, is_whole = sure_part.text, sure_part.rule, False
    sanitized = _sanitize(cursor, text, whole=is_whole, tries=None if is_settled else TRIES_WHILE_SPEAKING)
    is_little = sum(not char.isspace() for char in sanitized.text) < MIN_SURE_CHARACTERS
    if not sanitized.text or (terms.confidence and not is_whole and is_little):
        return PostprocessResult("", 0, rule or sanitized.rule, trimmed.done, settled=is_settled)
    shown = sanitized.text.replace("\n", cursor.line_end)
    confidence = confidence_of(scores, len(sanitized.text.rstrip()))
    return PostprocessResult(shown, sanitized.replaced, rule, trimmed.done, confidence, is_settled)


def _sure_part(text: str, end: int) -> Sanitized:
    return Sanitized(_whole_words(text, end), 0, "confidence")


def _whole_words(text: str, end: int) -> str:
    """Return a text up to an offset, without the word that it would cut."""
    return _OPEN_WORD.sub("", text[:end]) if re.match(r"\w", text[end:]) or cuts_string(text, end) else text[:end]
