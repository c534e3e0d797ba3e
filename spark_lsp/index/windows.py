"""Which words a text holds: how often its code uses each, and which stand near one another, in windows of twenty lines.

Pure. The windows of all files together tell which definitions occur where the words at the cursor occur (``rank.py``).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, count

import msgspec
import numpy as np
import numpy.typing as npt

WINDOW_LINES = 20  # measured on six projects, see docs/evaluation.md
WINDOWS_LIMIT = 500  # per file; a file of more than ten thousand lines is data or generated
WORDS_LIMIT = 65_535  # per file; places in ``names`` are 16 bits wide
WORD_LENGTH = 3  # shorter names (i, x, fn) stand everywhere and tell nothing
USES_LIMIT = 5_000  # names per file; above lie word lists and fixtures, which say nothing about use

WORD = re.compile(r"[^\W\d]\w{2,}")  # what the windows take for a word, for texts that are searched piece by piece

_LAST_DIGIT = ord("9")  # all that can begin a name lies above it
_SPACE, _LINE_END = ord(" "), ord("\n")
_IS_WORD = tuple(byte == ord("_") or byte >= 0x80 or chr(byte).isalnum() for byte in range(256))
_BLANKED = bytes(byte if _IS_WORD[byte] or byte == _LINE_END else _SPACE for byte in range(256))

_Marks = npt.NDArray[np.bool_]
_Numbers = npt.NDArray[np.int64]


class FileWords(msgspec.Struct, array_like=True, frozen=True):
    """The words of one file, packed: ten thousand files must fit into memory, and pass from process to process.

    ``names`` are joined by line ends; all else are native numbers. ``sizes`` holds one of 16 bits a window, ``members``
    as many places in ``names``; ``used`` the places of what the code uses, ``counts`` beside it how often (32 bits).
    """

    names: bytes = b""
    sizes: bytes = b""
    members: bytes = b""
    used: bytes = b""
    counts: bytes = b""

    def raw_names(self) -> list[bytes]:
        """Return the names as UTF-8."""
        return self.names.split(b"\n") if self.names else []

    def uses(self) -> Mapping[str, int]:
        """Return how often the code uses each name."""
        if not self.used:
            return {}
        names = self.names.decode("utf-8").split("\n")
        used, counts = np.frombuffer(self.used, np.uint16).tolist(), np.frombuffer(self.counts, np.uint32).tolist()
        return {names[place]: number for place, number in zip(used, counts, strict=True)}


NO_WORDS = FileWords()


def words_of(source: bytes, code: bytes, *, reserved: Iterable[bytes] = (), own: Iterable[str] = ()) -> FileWords:
    """Count the words of a text (UTF-8) and cut it into windows.

    ``code`` is the same with blanks in the place of comments and strings, for what it uses is counted there: all but
    ``reserved`` words, each of the ``own`` names (those that it defines) once less.
    """
    blanked = source.translate(_BLANKED)  # ``split`` finds words ten times faster than re
    pieces = blanked.split()
    if not pieces:
        return NO_WORDS
    numbers: defaultdict[bytes, int] = defaultdict(count().__next__)
    ids = np.fromiter(map(numbers.__getitem__, pieces), np.int64, len(pieces))
    text = np.frombuffer(blanked, np.uint8)
    starts, ends = _edges(text)
    somewhere = np.empty((2, len(numbers)), np.int64)  # of each word one place where it stands
    somewhere[0, ids], somewhere[1, ids] = starts, ends
    uses = np.bincount(ids[np.frombuffer(code, np.uint8)[starts] != _SPACE], minlength=len(numbers))
    for word in reserved:
        if word in numbers:
            uses[numbers[word]] = 0
    for name in own:
        number = numbers.get(name.encode("utf-8", "replace"))
        if number is not None:
            uses[number] -= 1
    is_name = text[somewhere[0]] > _LAST_DIGIT
    is_long = somewhere[1] - somewhere[0] >= WORD_LENGTH
    if not source.isascii():
        _look_at_text(list(numbers), is_name, is_long)
    used = is_name & (uses > 0)
    if np.count_nonzero(used) > USES_LIMIT:
        used[np.argsort(np.where(used, -uses, 0), kind="stable")[USES_LIMIT:]] = False
    return _packed(list(numbers), _windows(text, starts, ids, is_name & is_long), used, uses)


def _edges(text: npt.NDArray[np.uint8]) -> tuple[_Numbers, _Numbers]:
    """Return where the words of a blanked text begin and where they end."""
    is_word = np.zeros(len(text) + 2, bool)
    np.greater(text, _SPACE, out=is_word[1:-1])
    edges = np.flatnonzero(is_word[1:] != is_word[:-1])
    return edges[::2], edges[1::2]


def _look_at_text(pieces: Sequence[bytes], is_name: _Marks, is_long: _Marks) -> None:
    """Correct the marks of pieces that are not ASCII: bytes do not tell letters from symbols, nor how many they are."""
    for number, raw in enumerate(pieces):
        if not raw.isascii():
            word = raw.decode("utf-8", "replace")
            is_name[number], is_long[number] = word.isidentifier(), len(word) >= WORD_LENGTH


def _windows(text: npt.NDArray[np.uint8], starts: _Numbers, ids: _Numbers, wanted: _Marks) -> _Marks:
    """Return a row for each window, which marks the words that stand in it."""
    bounds = np.flatnonzero(text == _LINE_END)[WINDOW_LINES - 1 :: WINDOW_LINES][:WINDOWS_LIMIT]
    cuts = [0, *np.searchsorted(starts, bounds).tolist(), len(ids)][: WINDOWS_LIMIT + 1]
    found = np.zeros((len(cuts) - 1, len(wanted)), bool)
    found[np.repeat(np.arange(len(cuts) - 1), np.diff(cuts)), ids[: cuts[-1]]] = True
    return found & wanted


def _packed(pieces: Sequence[bytes], windows: _Marks, used: _Marks, uses: _Numbers) -> FileWords:
    kept = used | windows.any(axis=0)
    places = np.cumsum(kept) - 1
    kept &= places < WORDS_LIMIT
    windows &= kept
    used &= kept
    return FileWords(
        b"\n".join(compress(pieces, kept.tolist())),
        np.count_nonzero(windows, axis=1).astype(np.uint16).tobytes(),
        places[np.flatnonzero(windows) % len(pieces)].astype(np.uint16).tobytes(),
        places[used].astype(np.uint16).tobytes(),
        uses[used].astype(np.uint32).tobytes(),
    )
