"""Token healing: the last tokens before the cursor are chosen again, together with the first token of the answer.

``entry.am`` ends in ``.am``, which no ``ount`` ever follows where the model was trained on ``.amount``. The text of the
last word is fixed, its tokens are not: of every way to write it in its usual tokens, and from any of those on in one
token that goes beyond the cursor, the likeliest one counts. Pure: reads logits, never decodes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from spark_lsp.engine.base import Sampling
from spark_lsp.llama.cache import Tokens
from spark_lsp.llama.model import Vocabulary

MAX_TAIL_TOKENS: Final = 16
MAX_TAIL_BYTES: Final = 64

_WORD = r"(?:[^\r\n\w]|_)?[^\W\d_]+"
_DIGITS = r"\d{1,3}"
_SIGNS = r"[ ]?(?:[^\s\w]|_)+[\r\n]*"
_LINE_ENDS = r"\s*[\r\n]+"
_BLANKS = r"[^\S\r\n]+"
_LAST_WORD: Final = re.compile(f"(?:{_WORD}|{_DIGITS}|{_SIGNS}|{_LINE_ENDS}|{_BLANKS})\\Z")
"""What tokenizers keep within one word, so that nothing before it is written otherwise whatever follows: letters with
the blank or sign before them, signs with the line end behind them, blanks."""
_TWO_BLANKS: Final = re.compile(rb"[ \t]{2}\Z")

Logits = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a text that is chosen again: its bytes, and the tokens that they are usually written in.

    The last of many blanks is in no token, because what follows brings it along. ``dropped`` is by how many tokens the
    text's own ones are fewer without its end.
    """

    text: bytes
    tokens: Tokens
    dropped: int


@dataclass(frozen=True, slots=True)
class Path:
    """How a tail is written: by the first ``kept`` of its tokens, then by ``token``, None where all of them stay.

    ``typed`` bytes of that token are text that is there already. ``probability`` is that of this path among all.
    """

    kept: int
    token: int | None
    typed: int
    probability: float


def tail_of(vocabulary: Vocabulary, text: str, tokens: Tokens) -> Tail | None:
    """Return what of a text's end is chosen again; None where nothing is, or too much would be."""
    word = _LAST_WORD.search(text[-MAX_TAIL_BYTES:])
    if word is None:
        return None
    wanted = len(word[0].encode("utf-8", "replace"))
    pieces: list[bytes] = []
    size = 0
    for token in tokens[: -MAX_TAIL_TOKENS - 1 : -1]:
        pieces.append(vocabulary.piece(int(token)))
        size += len(pieces[-1])
        if size >= wanted and not _is_inside_character(pieces[-1]):
            break
    end = b"".join(reversed(pieces))
    # Not every tokenizer gives back what it was given.
    if not wanted <= size <= MAX_TAIL_BYTES or not text[-size:].encode("utf-8", "replace").endswith(end):
        return None
    return Tail(end, _before_more(vocabulary, end, tokens[len(tokens) - len(pieces) :]), len(pieces))


def choose_path(vocabulary: Vocabulary, tail: Tail, logits: Callable[[int], Logits], sampling: Sampling) -> Path:
    """Return the likeliest way to write a tail, or above temperature 0 one by chance.

    ``logits(row)`` are those of the token that follows the prompt and ``row`` tokens of the tail. Each way is another
    run of tokens, so their probabilities add up to that of the text, and one of them divided by the sum is its
    probability given what was typed.
    """
    ends = np.cumsum([0, *(len(vocabulary.piece(int(token))) for token in tail.tokens)])
    before = 0.0
    choices: list[Tokens] = []
    weights: list[Logits] = []
    for row, end in enumerate(ends):
        if end == len(tail.text):
            weights.append(np.array([before], np.float32))
            break
        scores = logits(row)
        total = _log_sum(scores)
        covering = vocabulary.beginning_with(tail.text[end:])
        if row < len(tail.tokens):
            token = tail.tokens[row]
            covering = covering[covering != token]
        choices.append(covering)
        weights.append(scores[covering] + np.float32(before - total))
        if row < len(tail.tokens):
            before += float(scores[token]) - total
    every = np.concatenate(weights)
    at = _drawn(every, sampling) if sampling.temperature > 0 else int(every.argmax())
    probability = float(np.exp(every[at] - _log_sum(every)))
    for row, covering in enumerate(choices):
        if at < len(covering):
            return Path(row, int(covering[at]), len(tail.text) - int(ends[row]), probability)
        at -= len(covering)
    return Path(len(tail.tokens), None, 0, probability)


def _before_more(vocabulary: Vocabulary, end: bytes, tokens: Tokens) -> Tokens:
    """Return the tokens of a text's end as they are where a word follows: the last of many blanks belongs to it."""
    if not _TWO_BLANKS.search(end):
        return tokens
    usual = vocabulary.tokenize(end[:-1].decode("utf-8", "replace"))
    return usual if b"".join(vocabulary.piece(int(token)) for token in usual) == end[:-1] else tokens


def _is_inside_character(piece: bytes) -> bool:
    return 0x80 <= piece[0] < 0xC0 if piece else False


def _drawn(weights: Logits, sampling: Sampling) -> int:
    """Draw by the request's sampling, as the library's chain does: top k, top p, then the temperature."""
    order = np.argsort(-weights, kind="stable")[: sampling.top_k or None]
    shares = np.exp(weights[order] - _log_sum(weights[order]))
    order = order[: int(np.searchsorted(np.cumsum(shares), sampling.top_p)) + 1]
    scaled = weights[order] / np.float32(sampling.temperature)
    chances = np.exp(scaled - scaled.max()).astype(np.float64)
    return int(np.random.default_rng(sampling.seed).choice(order, p=chances / chances.sum()))


def _log_sum(values: Logits) -> float:
    top = float(values.max())
    return top + float(np.log(np.exp(values - np.float32(top)).sum()))
