"""The source of lines that are like those before the cursor: where else the workspace goes on from code like this."""

from math import log

from spark_lsp.index.ranking.line_similarity import likeness_end, weigh_words, windows_alike
from spark_lsp.index.ranking.near import words_around
from spark_lsp.index.storage.view import IndexView
from spark_lsp.prompt.segment import Segment
from spark_lsp.text.document import Snapshot

LIKELY_SCORE = 5.0  # at which a definition is needed as likely as not, see index/ranking/rank.py
LOOKED_AT = 3  # windows looked at for each piece that is asked for
LINES_BEFORE, LINES_AFTER = 8, 10
"""What is shown around the end of the likeness: enough to see that it is alike, and how it goes on."""
WORTH = 0.25  # a piece that holds all of the cursor's words shows what comes next so often; set by hand


def lines_alike(view: IndexView, snapshot: Snapshot, path: str, offset: int, most: int) -> list[Segment]:
    """Return lines of other files in the same language that share the rarest words with those before the cursor.

    Files changed since the tables were built are left out: their windows lie elsewhere by now.
    """
    weights = weigh_words(view.postings, words_around(snapshot.text[:offset], offset).near)
    found: list[Segment] = []
    shown: set[tuple[str, int]] = set()
    for each in windows_alike(view.postings, weights, path, most * LOOKED_AT) if most else ():
        entry = view.files.get(each.path)
        if entry is None or entry.language != snapshot.language or each.path in view.stale:
            continue
        lines = entry.text.rstrip("\n").split("\n")
        end, share = likeness_end(lines, each.window, weights)
        first, last = max(0, end - LINES_BEFORE), min(len(lines), end + LINES_AFTER)
        if any((each.path, line) in shown for line in range(first, last)):
            continue
        shown.update((each.path, line) for line in range(first, last))
        text = "\n".join(lines[first:last])
        if text.strip():
            reason = "goes on from lines like those before the cursor"
            found.append(Segment(each.path, text, "similar", reason, _score(share), False, first + 1, last))
    return sorted(found, key=lambda segment: -segment.score)[:most]


def _score(share: float) -> float:
    """Return a score on the scale of definitions, so that a piece is exchanged only for one that is clearly more alike.

    ``share`` is how much of what the cursor's words weigh stands in the piece.
    """
    likelihood = min(max(share * WORTH, 0.001), 0.999)
    return LIKELY_SCORE + log(likelihood / (1 - likelihood))
