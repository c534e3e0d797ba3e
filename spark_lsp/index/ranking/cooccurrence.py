"""Find the names that share windows with given words: sums over the tables of ``postings.py``. Pure.

Costs what the given words cost, never what the workspace holds.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_lsp.index.storage.postings import Postings

COMMON_SHARE = 0.1  # words in more than one window of ten say nothing about the place
COMMON_AT_LEAST = 8  # in a workspace of a few files a tenth of the windows is one or two
WORDS_MOST = 40  # the rarest of the words; more change little and cost time
WINDOWS_PER_WORD = 128  # evenly spread when a word stands in more: bounds the time of one keystroke
NAMES_MOST = 500


@dataclass(frozen=True, slots=True)
class Cooccurrence:
    """Names with their scores, and what they were added up from: pairs of a given word and a name."""

    scores: Mapping[str, float]
    pair_words: npt.NDArray[np.int64]
    pair_names: npt.NDArray[np.int32]
    pair_weights: npt.NDArray[np.float64]
    words: tuple[str, ...]


NO_COOCCURRENCE = Cooccurrence({}, np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0), ())


def cooccurring_names(
    postings: Postings, near: Iterable[str], path: str, names_most: int = NAMES_MOST, also: Iterable[str] = ()
) -> Cooccurrence:
    """Score the names that some file defines by the windows of other files that they share with words of ``path``.

    For each name: the sum over words of idf(word) · P(name in a window | word in it). ``near`` are the words, the
    nearest to the cursor first; at most ``names_most`` names come out, and those of ``also`` that stand with any.
    """
    window_count = len(postings.window_file)
    own = postings.file_ids.get(path, -1)
    rare = sorted(_rare_words(postings, near, own))[:WORDS_MOST]
    if not rare:
        return NO_COOCCURRENCE
    rows = [_sampled(postings.windows_of[word]) for _, _, word in rare]
    windows = np.concatenate(rows)
    weights = [math.log(window_count / count) / len(row) for (count, _, _), row in zip(rare, rows, strict=True)]
    owners = np.repeat(np.arange(len(rare)), [len(row) for row in rows])
    others = postings.window_file[windows] != own
    windows, owners = windows[others], owners[others]
    names, lengths = postings.defined_in.joined(windows)
    pair_words = np.repeat(owners, lengths)
    pair_weights = np.array(weights)[pair_words]
    totals = np.bincount(names, pair_weights, minlength=len(postings.words))
    best = np.flatnonzero(totals > 0)  # of marks, which takes a tenth of the time that numbers take
    if len(best) > names_most:
        best = best[np.argpartition(-totals[best], names_most)[:names_most]]
    asked = np.array([postings.word_ids.get(name, -1) for name in also], np.int64)
    asked = asked[asked >= 0]
    best = np.union1d(best, asked[totals[asked] > 0])
    scores = {postings.words[number]: score for number, score in zip(best.tolist(), totals[best].tolist(), strict=True)}
    return Cooccurrence(scores, pair_words, names, pair_weights, tuple(postings.words[word] for _, _, word in rare))


def strongest_words(postings: Postings, cooccurrence: Cooccurrence, names: set[str]) -> dict[str, str]:
    """Name for each of these names the word that did most for it."""
    if not len(cooccurrence.pair_names):
        return {}
    chosen = sorted(postings.word_ids[name] for name in names if name in postings.word_ids)[: np.iinfo(np.int16).max]
    places = np.full(len(postings.words), -1, np.int16)  # small, for it is as long as the workspace has words
    places[chosen] = np.arange(len(chosen))
    rows = places[cooccurrence.pair_names].astype(np.int64)
    kept = rows >= 0
    width = len(cooccurrence.words)
    table = np.bincount(
        rows[kept] * width + cooccurrence.pair_words[kept],
        cooccurrence.pair_weights[kept],
        minlength=len(chosen) * width,
    ).reshape(len(chosen), width)
    return {
        postings.words[number]: cooccurrence.words[int(table[place].argmax())]
        for place, number in enumerate(chosen)
        if table[place].any()
    }


def _sampled(windows: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Take at most ``WINDOWS_PER_WORD``, evenly spread over the workspace."""
    if len(windows) <= WINDOWS_PER_WORD:
        return windows
    return windows[np.arange(WINDOWS_PER_WORD) * len(windows) // WINDOWS_PER_WORD]


def _rare_words(postings: Postings, near: Iterable[str], own: int) -> Iterator[tuple[int, int, int]]:
    """Yield how often a word near the cursor occurs, its place in the order of distance, and its number."""
    most = max(COMMON_AT_LEAST, COMMON_SHARE * len(postings.window_file))
    for place, name in enumerate(near):
        word = postings.word_ids.get(name)
        if word is None:
            continue
        windows = postings.windows_of[word]
        if not 0 < len(windows) <= most:
            continue
        # A row is in order of files, so one that begins and ends in this file is in it whole.
        if postings.window_file[windows[0]] != own or postings.window_file[windows[-1]] != own:
            yield len(windows), place, word
