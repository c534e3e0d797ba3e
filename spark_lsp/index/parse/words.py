"""Number the words of many texts at once, without a Python object for each occurrence.

Pure. Words are identified by a 64-bit hash: two of one batch that share it are less likely than a fault of
the memory, and would then count as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]

SPACE, LINE_END = ord(" "), ord("\n")
_IS_WORD = tuple(byte == ord("_") or byte >= 0x80 or chr(byte).isalnum() for byte in range(256))
_BLANKED = bytes(byte if _IS_WORD[byte] or byte == LINE_END else SPACE for byte in range(256))

_CHUNK = 8  # bytes that are taken in at once
_LONG = 64  # longer words are few, and each step costs the same for one word as for a hundred
_MASKS = np.array([(1 << 8 * length) - 1 for length in range(_CHUNK + 1)], np.uint64)
_ODD = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio in 64 bits, as in Fibonacci hashing
_HALF = np.uint64(32)
_ONE = np.uint64(1)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of some texts by place, and a number for each word of each text in the order in which they come.

    ``first_words`` and ``first_numbers`` hold where those of each text begin, and one value more for the end.
    """

    blanked: bytes
    """The texts with blanks between them and in the place of all but words and line ends."""
    text: Bytes
    starts: Numbers
    ends: Numbers
    first_words: Numbers
    numbers: Numbers
    """Of each word its number."""
    firsts: Numbers
    """Of each number the place in ``starts`` where it comes first."""
    first_numbers: Numbers
    _keys: Keys
    _number_of_key: Numbers

    def raw(self, numbers: npt.NDArray[Any]) -> list[bytes]:
        """Return the words of some numbers as UTF-8."""
        places = self.firsts[numbers]
        blanked = self.blanked
        return [
            blanked[start:end]
            for start, end in zip(self.starts[places].tolist(), self.ends[places].tolist(), strict=True)
        ]

    def find(self, keys: Keys, texts: npt.NDArray[Any]) -> Numbers:
        """Return the numbers of those words (``keys_of``) that their texts hold, in any order."""
        wanted = _in_text(keys, texts)
        places = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        matching: Numbers = places[self._keys[places] == wanted]
        return self._number_of_key[matching]


def words_in(sources: Sequence[bytes], begins: Numbers) -> Words:
    """Find and number the words of texts; ``begins`` are their places with one byte between them, and the end."""
    blanked = (b" ".join(sources) + bytes(1 + _CHUNK)).translate(_BLANKED)
    text = np.frombuffer(blanked, np.uint8)
    starts, ends = _edges(text)
    first_words = np.searchsorted(starts, begins)
    text_of = np.repeat(np.arange(len(sources)), np.diff(first_words))
    keys = _in_text(_keys(blanked, starts, ends - starts), text_of)
    order = sorted_places(keys)
    in_order = keys[order]
    is_new = np.ones(len(keys), bool)
    np.not_equal(in_order[1:], in_order[:-1], out=is_new[1:])
    groups = np.flatnonzero(is_new)
    firsts = order[groups]
    by_place = np.argsort(firsts)
    number_of_key = np.empty(len(groups), np.int64)
    number_of_key[by_place] = np.arange(len(groups))
    numbers = np.empty(len(keys), np.int64)
    numbers[order] = number_of_key[np.cumsum(is_new) - 1]
    firsts = firsts[by_place]
    first_numbers = np.searchsorted(firsts, first_words)
    return Words(
        blanked, text, starts, ends, first_words, numbers, firsts, first_numbers, in_order[groups], number_of_key
    )


def keys_of(words: Sequence[bytes]) -> Keys:
    """Return the keys of words; anything else has a key that no word has."""
    lengths = np.array([len(word) for word in words], np.int64)
    return _keys(b"".join(words) + bytes(_CHUNK), np.cumsum(lengths) - lengths, lengths)


def sorted_places(keys: Keys) -> Numbers:
    """Sort the places of keys by key, those of one key by place.

    Sorting numbers takes a third of the time of sorting the places of numbers, above all where most of them stand there
    several times. So the lowest bits of each make room for its place; where that makes two keys one, it is done again.
    """
    bits = np.uint64(len(keys).bit_length())
    packed = np.sort(keys >> bits << bits | np.arange(len(keys), dtype=np.uint64))
    order = (packed & ((_ONE << bits) - _ONE)).astype(np.int64)
    cut, whole = packed >> bits, keys[order]
    if np.any((cut[1:] == cut[:-1]) & (whole[1:] != whole[:-1])):
        return np.argsort(keys, kind="stable")
    return order


def _edges(text: Bytes) -> tuple[Numbers, Numbers]:
    """Return where the words of a blanked text begin and where they end."""
    is_word = np.zeros(len(text) + 1, bool)
    np.greater(text, SPACE, out=is_word[1:])
    edges = np.flatnonzero(is_word[1:] != is_word[:-1])
    return edges[::2], edges[1::2]


def _keys(raw: bytes, starts: Numbers, lengths: Numbers) -> Keys:
    """Return a 64-bit key for each range; eight more bytes must follow the last one."""
    chunks = np.ndarray((len(raw) - _CHUNK + 1,), "<u8", raw, strides=(1,))  # the eight bytes from each place on
    keys = _mixed(chunks[starts] & _MASKS[np.minimum(lengths, _CHUNK)])
    at = _CHUNK
    longer = np.flatnonzero(lengths > at)
    while len(longer) and at < _LONG:
        more = chunks[starts[longer] + at] & _MASKS[np.minimum(lengths[longer] - at, _CHUNK)]
        keys[longer] = _mixed(keys[longer] + more)
        at += _CHUNK
        longer = longer[lengths[longer] > at]
    for place in longer.tolist():
        start = int(starts[place])
        keys[place] = hash(raw[start : start + int(lengths[place])]) & 0xFFFF_FFFF_FFFF_FFFF
    return keys


def _mixed(keys: Keys) -> Keys:
    """Spread all bits over all others; different values stay different."""
    keys = keys * _ODD
    return keys ^ (keys >> _HALF)


def _in_text(keys: Keys, texts: npt.NDArray[Any]) -> Keys:
    """Give the same word another key in each text."""
    return _mixed(keys + texts.astype(np.uint64) * _ODD)
