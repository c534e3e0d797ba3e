"""Which words stand near one another: a text cut into windows of twenty lines, each a set of words.

Pure. The windows of all files together tell which definitions occur where the words at the cursor occur (``rank.py``).
"""

import re
from array import array
from dataclasses import dataclass

WINDOW_LINES = 20  # measured on six projects, see docs/evaluation.md
WINDOWS_LIMIT = 500  # per file; a file of more than ten thousand lines is data or generated
WORDS_LIMIT = 65_535  # per file; places in ``words`` are 16 bits wide

WORD = re.compile(r"[^\W\d]\w{2,}")  # shorter names (i, x, fn) stand everywhere and tell nothing


@dataclass(frozen=True, slots=True)
class WordWindows:
    """The words of one file and its windows, packed: ten thousand files must fit into memory.

    ``words`` is sorted. ``sizes`` holds one native 16-bit number a window, ``members`` as many places in ``words``.
    """

    words: tuple[str, ...] = ()
    sizes: bytes = b""
    members: bytes = b""


NO_WINDOWS = WordWindows()


def word_windows(text: str) -> WordWindows:
    """Cut a text into windows and collect the words of each."""
    lines = text.split("\n")
    limit = min(len(lines), WINDOW_LINES * WINDOWS_LIMIT)
    found = [
        set(WORD.findall("\n".join(lines[start : start + WINDOW_LINES]))) for start in range(0, limit, WINDOW_LINES)
    ]
    words = sorted(set().union(*found))[:WORDS_LIMIT]
    places = {word: place for place, word in enumerate(words)}
    sizes, members = array("H"), array("H")
    for window in found:
        kept = sorted(places[word] for word in window if word in places)
        sizes.append(len(kept))
        members.extend(kept)
    return WordWindows(tuple(words), sizes.tobytes(), members.tobytes())
