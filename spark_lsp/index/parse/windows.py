"""Count the words of a text's code, and list the words of each window of twenty lines. Pure.

Pure. The windows of all files together tell which definitions occur where the words at the cursor occur (``rank.py``).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from spark_lsp.index.parse.words import LINE_END, SPACE, Keys, Numbers, Words, keys_of, words_in

WINDOW_LINES = 20  # measured on six projects, see docs/evaluation.md
WINDOWS_LIMIT = 500  # per file; a file of more than ten thousand lines is data or generated
WORDS_LIMIT = 65_535  # per file; places in ``names`` are 16 bits wide
WORD_LENGTH = 3  # shorter names (i, x, fn) stand everywhere and tell nothing
USES_LIMIT = 5_000  # names per file; above are word lists and fixtures, which say nothing about use

WORD = re.compile(r"[^\W\d]\w{2,}")  # what the windows take for a word, for texts that are searched part by part

_LAST_DIGIT = ord("9")  # all that can begin a name is above it
_BEYOND_ASCII = 0x80
_WINDOW_SHIFT = 32  # a window and the number of a word in one integer

_Flags = npt.NDArray[np.bool_]


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

    def without_names(self) -> "FileWords":
        """Return the same, where the names are known from elsewhere."""
        return FileWords(b"", self.sizes, self.members, self.used, self.counts)

    def uses(self) -> Mapping[str, int]:
        """Return how often the code uses each name."""
        if not self.used:
            return {}
        names = self.names.decode("utf-8").split("\n")
        used, counts = np.frombuffer(self.used, np.uint16).tolist(), np.frombuffer(self.counts, np.uint32).tolist()
        return {names[place]: number for place, number in zip(used, counts, strict=True)}


NO_WORDS = FileWords()


@dataclass(frozen=True, slots=True)
class WordInput:
    """A text (UTF-8) whose words are wanted.

    ``code`` is the same with blanks in the place of comments and strings, for what it uses is counted there: all but
    ``reserved`` words, each of the ``own`` names (those that it defines) once less.
    """

    source: bytes
    code: bytes
    reserved: frozenset[bytes] = frozenset()
    own: Sequence[str] = ()


def words_of(source: bytes, code: bytes, *, reserved: Iterable[bytes] = (), own: Iterable[str] = ()) -> FileWords:
    """Count the words of a text and cut it into windows; see ``Wanted``."""
    return words_of_all([WordInput(source, code, frozenset(reserved), tuple(own))])[0]


def words_of_all(texts: Sequence[WordInput]) -> list[FileWords]:
    """Do so with many texts at once: with short ones most of the time would go into calls, not into words."""
    begins = np.cumsum([0, *(len(text.source) + 1 for text in texts)])
    words = words_in([text.source for text in texts], begins)
    if not len(words.firsts):
        return [NO_WORDS] * len(texts)
    signatures = words.text[words.starts[words.firsts]]
    is_name = signatures > _LAST_DIGIT
    is_long = (words.ends - words.starts)[words.firsts] >= WORD_LENGTH
    if not words.blanked.isascii():
        _look_at_text(words, is_name, is_long)
    uses = _uses(words, texts)
    used = is_name & (uses > 0)
    _limit_uses(words, used, uses)
    windows = _windows(words, begins, is_name & is_long)
    return _packed(words, windows, used, uses)


def _uses(words: Words, texts: Sequence[WordInput]) -> Numbers:
    """Return how often each word stands in code, where it uses something."""
    code = np.frombuffer(b" ".join([text.code for text in texts]), np.uint8)
    uses = np.bincount(words.numbers[code[words.starts] != SPACE], minlength=len(words.firsts))
    reserved = [_keys_of_reserved(text.reserved) for text in texts]
    uses[words.find(np.concatenate(reserved), np.repeat(np.arange(len(texts)), [len(keys) for keys in reserved]))] = 0
    own = [name.encode("utf-8", "replace") for text in texts for name in text.own]
    if own:
        places = words.find(keys_of(own), np.repeat(np.arange(len(texts)), [len(text.own) for text in texts]))
        uses -= np.bincount(places, minlength=len(uses))
    return uses


@lru_cache(maxsize=64)
def _keys_of_reserved(reserved: frozenset[bytes]) -> Keys:
    return keys_of(sorted(reserved))


def _look_at_text(words: Words, is_name: _Flags, is_long: _Flags) -> None:
    """Correct the marks of words that are not ASCII: bytes do not tell letters from symbols, nor how many they are."""
    places = np.searchsorted(words.starts, np.flatnonzero(words.text >= _BEYOND_ASCII), side="right") - 1
    numbers = np.unique(words.numbers[places])
    for number, raw in zip(numbers.tolist(), words.raw(numbers), strict=True):
        word = raw.decode("utf-8", "replace")
        is_name[number], is_long[number] = word.isidentifier(), len(word) >= WORD_LENGTH


def _limit_uses(words: Words, used: _Flags, uses: Numbers) -> None:
    """Leave the names of a text out that are used least, where there are too many."""
    for start, end in pairwise(words.first_numbers.tolist()):
        if end - start > USES_LIMIT and np.count_nonzero(used[start:end]) > USES_LIMIT:
            own = np.where(used[start:end], -uses[start:end], 0)
            used[start + np.argsort(own, kind="stable")[USES_LIMIT:]] = False


@dataclass(frozen=True, slots=True)
class _Windows:
    """The windows of all texts one after another: in each the numbers of the words that stand in it, ascending."""

    window: Numbers
    number: Numbers
    """Beside ``window``: a word in it."""
    firsts: Numbers
    """Of each text its first window; one more for the end."""
    counts: Numbers
    """Of each text how many windows it has: no more than the limit."""


def _windows(words: Words, begins: Numbers, wanted: _Flags) -> _Windows:
    line_ends = np.flatnonzero(words.text == LINE_END)
    first_lines = np.searchsorted(line_ends, begins)
    line_counts = np.diff(first_lines)
    line_of_text = np.arange(first_lines[-1]) - np.repeat(first_lines[:-1], line_counts)
    cuts = line_ends[: first_lines[-1]][line_of_text % WINDOW_LINES == WINDOW_LINES - 1]
    counts = line_counts // WINDOW_LINES + 1
    firsts = np.concatenate(([0], np.cumsum(counts)))
    at_words = np.concatenate((words.first_words[:-1], np.searchsorted(words.starts, cuts)))
    window = np.cumsum(np.bincount(at_words, minlength=len(words.starts) + 1))[:-1] - 1
    taken = wanted[words.numbers]
    if int(counts.max()) > WINDOWS_LIMIT:
        taken &= window - np.repeat(firsts[:-1], np.diff(words.first_words)) < WINDOWS_LIMIT
    pairs = np.sort(window[taken] << _WINDOW_SHIFT | words.numbers[taken])
    is_new = np.ones(len(pairs), bool)
    np.not_equal(pairs[1:], pairs[:-1], out=is_new[1:])
    pairs = pairs[is_new]
    window = pairs >> _WINDOW_SHIFT
    return _Windows(window, pairs - (window << _WINDOW_SHIFT), firsts, np.minimum(counts, WINDOWS_LIMIT))


def _packed(words: Words, windows: _Windows, used: _Flags, uses: Numbers) -> list[FileWords]:
    kept = used.copy()
    kept[windows.number] = True
    first_numbers = words.first_numbers
    places = np.cumsum(kept) - 1
    before = np.concatenate(([0], places + 1))[first_numbers]
    places -= np.repeat(before[:-1], np.diff(first_numbers))
    if int(np.diff(before).max()) > WORDS_LIMIT:
        kept &= places < WORDS_LIMIT
        before = np.concatenate(([0], np.cumsum(kept)))[first_numbers]
    is_kept = kept[windows.number]
    window, number = windows.window[is_kept], windows.number[is_kept]
    sizes = np.bincount(window, minlength=int(windows.firsts[-1])).astype(np.uint16).tobytes()
    members = places[number].astype(np.uint16).tobytes()
    raw = words.raw(np.flatnonzero(kept))
    used_numbers = np.flatnonzero(used & kept)
    used_places = places[used_numbers].astype(np.uint16).tobytes()
    counts = uses[used_numbers].astype(np.uint32).tobytes()
    rows = zip(
        pairwise(before.tolist()),
        (2 * windows.firsts[:-1]).tolist(),
        (2 * (windows.firsts[:-1] + windows.counts)).tolist(),
        pairwise((2 * np.searchsorted(window, windows.firsts)).tolist()),
        pairwise(np.searchsorted(used_numbers, first_numbers).tolist()),
        np.diff(first_numbers).tolist(),
        strict=True,
    )
    return [
        FileWords(
            b"\n".join(raw[first:last]),
            sizes[size_start:size_end],
            members[start:end],
            used_places[2 * first_used : 2 * last_used],
            counts[4 * first_used : 4 * last_used],
        )
        if has_words
        else NO_WORDS
        for (first, last), size_start, size_end, (start, end), (first_used, last_used), has_words in rows
    ]
