"""Which twenty lines of other files are most like the lines around a cursor: sums over the tables of ``postings.py``.

Code that uses the same names in another file often shows what comes next here. Pure. Costs what the given words cost,
never what the workspace holds.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from spark_lsp.index.postings import Postings

COMMON_SHARE = 0.2  # words in more than one window of five say nothing about the place
COMMON_AT_LEAST = 8  # in a workspace of a few files a fifth of the windows is one or two
WORDS_MOST = 60  # the nearest to the cursor
WINDOWS_PER_WORD = 4_096  # bounds the time of a keystroke in a huge workspace
WORDS_IN_COMMON = 3  # fewer are chance


class Alike(NamedTuple):
    """Twenty lines of another file; ``score`` is the share of the given words' weight that stands in them."""

    score: float
    path: str
    window: int
    """Which window of its file: it begins at line ``window * WINDOW_LINES``, counted from 0."""


def windows_alike(postings: Postings, near: Iterable[str], path: str, most: int) -> list[Alike]:
    """Return the windows of other files that share most with words of ``path``, the best first.

    ``near`` are the words, the nearest to the cursor first. A word weighs by its rarity.
    """
    window_count = len(postings.window_file)
    own = postings.file_ids.get(path, -1)
    common = max(COMMON_AT_LEAST, COMMON_SHARE * window_count)
    totals = np.zeros(window_count)
    shared = np.zeros(window_count, np.int32)
    whole = 0.0
    taken = 0
    for name in near:
        word = postings.word_ids.get(name)
        if word is None:
            continue
        windows = postings.windows_of[word]
        if not 0 < len(windows) <= common:
            continue
        weight = math.log(window_count / len(windows)) or 1.0
        windows = windows[:WINDOWS_PER_WORD]
        totals[windows] += weight
        shared[windows] += 1
        whole += weight
        taken += 1
        if taken == WORDS_MOST:
            break
    totals[(shared < WORDS_IN_COMMON) | (postings.window_file == own)] = 0.0
    best = np.flatnonzero(totals)
    best = best[np.argsort(-totals[best], kind="stable")][:most]
    firsts = np.searchsorted(postings.window_file, postings.window_file[best])
    return [
        Alike(float(totals[window]) / whole, postings.paths[postings.window_file[window]], int(window - first))
        for window, first in zip(best.tolist(), firsts.tolist(), strict=True)
    ]
