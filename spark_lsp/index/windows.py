"""Which words stand near one another: a text cut into windows of twenty lines, each a set of words.

Pure. The windows of all files together tell which definitions occur where the words at the cursor occur (``rank.py``).
"""

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

WINDOW_LINES = 20  # measured on six projects, see docs/evaluation.md
WINDOWS_LIMIT = 500  # per file; a file of more than ten thousand lines is data or generated
WORDS_LIMIT = 65_535  # per file; places in ``words`` are 16 bits wide
WORD_LENGTH = 3  # shorter names (i, x, fn) stand everywhere and tell nothing

WORD = re.compile(
    r"[^\W\d]\w{2,}"
)  # what ``word_windows`` takes for a word, for texts that are searched piece by piece

_LAST_DIGIT = ord("9")  # all that can begin a name lies above it
_IS_WORD = tuple(byte == ord("_") or byte >= 0x80 or chr(byte).isalnum() for byte in range(256))
_BLANKED = bytes(byte if _IS_WORD[byte] or byte == ord("\n") else ord(" ") for byte in range(256))


@dataclass(frozen=True, slots=True)
class WordWindows:
    """The words of one file and its windows, packed: ten thousand files must fit into memory.

    ``words`` is sorted. ``sizes`` holds one native 16-bit number a window, ``members`` as many places in ``words``.
    """

    words: tuple[str, ...] = ()
    sizes: bytes = b""
    members: bytes = b""


NO_WINDOWS = WordWindows()


def words_alone(source: bytes) -> bytes:
    """Return UTF-8 text with all that belongs to no word blanked: ``split`` then finds words ten times faster than re.

    Line ends stay. What is not ASCII counts as part of a word; ``as_names`` sorts that out for the few distinct ones.
    """
    return source.translate(_BLANKED)


def as_names(pieces: Iterable[bytes]) -> tuple[list[bytes], list[str]]:
    """Return those pieces of ``words_alone`` that are names, and the same as text; numbers and symbols are none."""
    kept = [raw for raw in pieces if raw[0] > _LAST_DIGIT and (raw.isascii() or _is_name(raw))]
    return kept, b"\n".join(kept).decode("utf-8").split("\n") if kept else []


def _is_name(raw: bytes) -> bool:
    return raw.decode("utf-8", "replace").isidentifier()


def word_windows(source: bytes) -> WordWindows:
    """Cut a text (UTF-8) into windows and collect the words of each."""
    lines = words_alone(source).split(b"\n")
    limit = min(len(lines), WINDOW_LINES * WINDOWS_LIMIT)
    found = [set(b" ".join(lines[start : start + WINDOW_LINES]).split()) for start in range(0, limit, WINDOW_LINES)]
    distinct: set[bytes] = set().union(*found)
    kept, words = as_names(sorted(raw for raw in distinct if len(raw) >= WORD_LENGTH))
    if not source.isascii():  # a name of two letters may have three bytes
        kept = [raw for raw, word in zip(kept, words, strict=True) if len(word) >= WORD_LENGTH]
        words = [word for word in words if len(word) >= WORD_LENGTH]
    del kept[WORDS_LIMIT:], words[WORDS_LIMIT:]
    places = {raw: place for place, raw in enumerate(kept)}
    known = places.keys()
    sizes, members = array("H"), array("H")
    for window in found:
        places_here = sorted(map(places.__getitem__, window & known))
        sizes.append(len(places_here))
        members.extend(places_here)
    return WordWindows(tuple(words), sizes.tobytes(), members.tobytes())
