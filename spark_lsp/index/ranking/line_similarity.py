"""Find the lines of other files that are most similar to the lines before a cursor, by ``postings.py``'s tables.

Code that uses the same names elsewhere often shows what comes next here. The tables find windows of twenty lines that
share rare words; the text then shows where in them the likeness ends. Pure. Costs what the given words
cost, never what the workspace holds.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from spark_lsp.index.parse.windows import WINDOW_LINES, WORD
from spark_lsp.index.storage.postings import Postings

COMMON_SHARE = 0.2  # words in more than one window of five say nothing about the place
COMMON_AT_LEAST = 8  # in a workspace of a few files a fifth of the windows is one or two
WORDS_MOST = 60  # the nearest to the cursor
WINDOWS_PER_WORD = 4_096  # bounds the time of a keystroke in a huge workspace
WORDS_IN_COMMON = 3  # fewer are chance
ALIGNED_LINES = 12
"""How many lines are compared with those before the cursor to find where the likeness ends."""


class SimilarWindow(NamedTuple):
    """Twenty lines of another file; ``score`` is the share of the given words' weight that stands in them."""

    score: float
    path: str
    window: int
    """Which window of its file: it begins at line ``window * WINDOW_LINES``, counted from 0."""


def weigh_words(postings: Postings, near: Iterable[str]) -> dict[str, float]:
    """Return the weight of each significant word, by its rarity; ``near`` is sorted by distance, nearest first."""
    window_count = len(postings.window_file)
    common = max(COMMON_AT_LEAST, COMMON_SHARE * window_count)
    weights: dict[str, float] = {}
    for name in near:
        word = postings.word_ids.get(name)
        if word is None:
            continue
        count = len(postings.windows_of[word])
        if 0 < count <= common:
            weights[name] = math.log(window_count / count) or 1.0
        if len(weights) == WORDS_MOST:
            break
    return weights


def similar_windows(postings: Postings, weights: Mapping[str, float], path: str, most: int) -> list[SimilarWindow]:
    """Return the windows of other files that share most with the weighed words of ``path``, the best first."""
    window_count = len(postings.window_file)
    own = postings.file_ids.get(path, -1)
    totals = np.zeros(window_count)
    shared = np.zeros(window_count, np.int32)
    for name, weight in weights.items():
        windows = postings.windows_of[postings.word_ids[name]][:WINDOWS_PER_WORD]
        totals[windows] += weight
        shared[windows] += 1
    totals[(shared < WORDS_IN_COMMON) | (postings.window_file == own)] = 0.0
    best = np.flatnonzero(totals)
    best = best[np.argsort(-totals[best], kind="stable")][:most]
    firsts = np.searchsorted(postings.window_file, postings.window_file[best])
    whole = sum(weights.values())
    return [
        SimilarWindow(float(totals[window]) / whole, postings.paths[postings.window_file[window]], int(window - first))
        for window, first in zip(best.tolist(), firsts.tolist(), strict=True)
    ]


def likeness_end(lines: Sequence[str], window: int, weights: Mapping[str, float]) -> tuple[int, float]:
    """Return the last line of the similar part of a file, and the share of the words' weight in the lines before it.

    Looks at the window and the lines that touch it. Of equal places the last one counts, so that all that is similar
    stands before it.
    """
    first = max(0, window * WINDOW_LINES - ALIGNED_LINES)
    last = min(len(lines), (window + 1) * WINDOW_LINES + ALIGNED_LINES)
    words = [{word for word in WORD.findall(line) if word in weights} for line in lines[first:last]]
    whole = sum(weights.values())
    best, best_end = -1.0, first
    for end in range(1, len(words) + 1):
        held = set().union(*words[max(0, end - ALIGNED_LINES) : end])
        score = sum(weights[word] for word in held)
        if score >= best and words[end - 1]:
            best, best_end = score, first + end
    return best_end, max(best, 0.0) / whole if whole else 0.0
