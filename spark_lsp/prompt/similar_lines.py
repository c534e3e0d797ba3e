"""The source of similar lines: where else the workspace has code like that before the cursor, and what follows it."""

from math import log

from spark_lsp.index.ranking.line_similarity import likeness_end, similar_windows, weigh_words
from spark_lsp.index.ranking.nearby_words import words_around
from spark_lsp.index.storage.view import IndexView
from spark_lsp.prompt.segment import Segment
from spark_lsp.text.snapshot import Snapshot

LIKELY_SCORE = 5.0  # at which a definition is needed as likely as not, see index/ranking/rank.py
WINDOWS_PER_SNIPPET = 3  # windows searched for each snippet that is asked for
LINES_BEFORE, LINES_AFTER = 8, 10
"""What is shown around the end of the likeness: enough to see that it is similar, and what follows."""
WORTH = 0.25  # a snippet that holds all of the cursor's words shows what comes next so often; set by hand


def similar_lines(view: IndexView, snapshot: Snapshot, path: str, offset: int, most: int) -> list[Segment]:
    """Return lines of other files in the same language that share the rarest words with those before the cursor.

    Files changed since the tables were built are left out: their windows have moved.
    """
    weights = weigh_words(view.postings, words_around(snapshot.text[:offset], offset).near)
    segments: list[Segment] = []
    shown: set[tuple[str, int]] = set()
    for match in similar_windows(view.postings, weights, path, most * WINDOWS_PER_SNIPPET) if most else ():
        entry = view.files.get(match.path)
        if entry is None or entry.language != snapshot.language or match.path in view.stale:
            continue
        lines = entry.text.rstrip("\n").split("\n")
        end, share = likeness_end(lines, match.window, weights)
        first, last = max(0, end - LINES_BEFORE), min(len(lines), end + LINES_AFTER)
        if any((match.path, line) in shown for line in range(first, last)):
            continue
        shown.update((match.path, line) for line in range(first, last))
        text = "\n".join(lines[first:last])
        if text.strip():
            reason = "goes on from lines like those before the cursor"
            segments.append(Segment(match.path, text, "similar", reason, _score(share), False, first + 1, last))
    return sorted(segments, key=lambda segment: -segment.score)[:most]


def _score(share: float) -> float:
    """Return a score on the scale of definitions, so that a snippet is replaced only by a clearly more similar one.

    ``share`` is how much of what the cursor's words weigh is in the snippet.
    """
    likelihood = min(max(share * WORTH, 0.001), 0.999)
    return LIKELY_SCORE + log(likelihood / (1 - likelihood))
