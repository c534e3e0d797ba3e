"""Token healing: the last tokens before the cursor are chosen again, together with the first token of the answer.

``entry.am`` ends in ``.am``, which no ``ount`` ever follows where the model was trained on ``.amount``. The text of the
last word is fixed, its tokens are not: of every way to write it in its usual tokens, and from any of those on in one
token that goes beyond the cursor, the likeliest one counts. Pure: reads logits, never decodes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log
from typing import Any, Final

import numpy as np

from spark_lsp.engine.base import Sampling
from spark_lsp.llama.kv.cells import Tokens
from spark_lsp.llama.loading.gguf_model import Vocabulary

MAX_LAST_WORD_TOKENS: Final = 16
MAX_LAST_WORD_BYTES: Final = 64

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
class LastWord:
    """The end of a text that is chosen again: its bytes, and the tokens that they are usually written in.

    The last of many blanks is in no token, because what follows brings it along. ``dropped`` is by how many tokens the
    text's own ones are fewer without its end.
    """

    text: bytes
    tokens: Tokens
    dropped: int


@dataclass(frozen=True, slots=True)
class Path:
    """How a last word is written: by the first ``kept`` of its tokens, then by ``token``, None where all of them stay.

    ``typed`` bytes of that token are text that is there already. ``probability`` is that of this path among all.
    """

    kept: int
    token: int | None
    typed: int
    probability: float


def last_word_of(vocabulary: Vocabulary, text: str, tokens: Tokens) -> LastWord | None:
    """Return what of a text's end is chosen again; None where nothing is, or too much would be."""
    word = _LAST_WORD.search(text[-MAX_LAST_WORD_BYTES:])
    if word is None:
        return None
    wanted = len(word[0].encode("utf-8", "replace"))
    pieces: list[bytes] = []
    size = 0
    for token in tokens[: -MAX_LAST_WORD_TOKENS - 1 : -1]:
        pieces.append(vocabulary.piece(int(token)))
        size += len(pieces[-1])
        if size >= wanted and not _is_inside_character(pieces[-1]):
            break
    end = b"".join(reversed(pieces))
    # Not every tokenizer gives back what it was given.
    if not wanted <= size <= MAX_LAST_WORD_BYTES or not text[-size:].encode("utf-8", "replace").endswith(end):
        return None
    return LastWord(end, _before_more(vocabulary, end, tokens[len(tokens) - len(pieces) :]), len(pieces))


def choose_path(
    vocabulary: Vocabulary, last_word: LastWord, logits: Callable[[int], Logits], sampling: Sampling, scratch: Logits
) -> Path:
    """Return the likeliest way to write a last word, or above temperature 0 one by chance.

    ``logits(row)`` are those of the token that follows the prompt and ``row`` tokens of the last word. Each way is
    another run of tokens, so their probabilities add up, and one of them divided by the sum is its probability given
    what was typed. ``scratch`` has room for a row, and is written over.
    """
    ends = np.cumsum([0, *(len(vocabulary.piece(int(token))) for token in last_word.tokens)]).tolist()
    ways: list[_Ways] = []
    before = 0.0
    for row, end in enumerate(ends):
        if end == len(last_word.text):
            ways.append(_Ways(row, None, np.ones(1, np.float32), before))
            break
        token = int(last_word.tokens[row]) if row < len(last_word.tokens) else None
        covering = vocabulary.beginning_with(last_word.text[end:])
        if token is not None:
            covering = covering[covering != token]
        scores = logits(row)
        np.subtract(scores, scores.max(), out=scratch)
        following = float(scratch[token]) if token is not None else 0.0
        np.exp(scratch, out=scratch)
        total = float(np.add.reduce(scratch))
        ways.append(_Ways(row, covering, scratch[covering] / np.float32(total), before))
        before += following - log(total)
    best, at, probability = _drawn(ways, sampling) if sampling.temperature > 0 else _likeliest(ways)
    if best.tokens is None:
        return Path(best.kept, None, 0, probability)
    return Path(best.kept, int(best.tokens[at]), len(last_word.text) - ends[best.kept], probability)


@dataclass(frozen=True, slots=True)
class _Ways:
    """The ways that keep the same tokens of a last word: by which token each goes on, and the share of each.

    ``before`` is the logarithm of the kept tokens' probability.
    """

    kept: int
    tokens: Tokens | None
    shares: Logits
    before: float


def _likeliest(ways: list[_Ways]) -> tuple[_Ways, int, float]:
    """Return the likeliest way, its place among its kind, and its probability among all."""
    top = max(way.before for way in ways)  # the text may be so unlikely that its probability is no number
    best, at, most, total = ways[-1], 0, -1.0, 0.0
    for way in ways:
        if len(way.shares):
            scale = exp(way.before - top)
            place = int(way.shares.argmax())
            total += scale * float(way.shares.sum())
            if scale * float(way.shares[place]) > most:
                best, at, most = way, place, scale * float(way.shares[place])
    return best, at, most / total if total else 1.0


def _drawn(ways: list[_Ways], sampling: Sampling) -> tuple[_Ways, int, float]:
    """Draw a way by the request's sampling, as the library's chain does: top k, top p, then the temperature."""
    top = max(way.before for way in ways)
    every = np.concatenate([way.shares * np.float32(exp(way.before - top)) for way in ways]).astype(np.float64)
    if not every.any():
        return _likeliest(ways)
    every /= every.sum()
    order = np.argsort(-every, kind="stable")[: sampling.top_k or None]
    order = order[: int(np.searchsorted(np.cumsum(every[order]) / every[order].sum(), sampling.top_p)) + 1]
    order = order[every[order] > 0]
    chances = every[order] ** (1 / sampling.temperature)
    at = int(np.random.default_rng(sampling.seed).choice(order, p=chances / chances.sum()))
    probability = float(every[at])
    for way in ways:
        if at < len(way.shares):
            return way, at, probability
        at -= len(way.shares)
    raise AssertionError("the place is one of them")


def _before_more(vocabulary: Vocabulary, end: bytes, tokens: Tokens) -> Tokens:
    """Return the tokens of a text's end as they are where a word follows: the last of many blanks belongs to it."""
    if not _TWO_BLANKS.search(end):
        return tokens
    usual = vocabulary.tokenize(end[:-1].decode("utf-8", "replace"))
    return usual if b"".join(vocabulary.piece(int(token)) for token in usual) == end[:-1] else tokens


def _is_inside_character(piece: bytes) -> bool:
    return 0x80 <= piece[0] < 0xC0 if piece else False
