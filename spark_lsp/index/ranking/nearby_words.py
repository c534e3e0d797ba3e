"""Find the words around a cursor and their distance from it, block by block; blocks are cached.

Works on words and not on syntax: code that is being typed is broken half of the time. Pure but for the memory.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from spark_lsp.index.parse.windows import WINDOW_LINES, WORD

LINES_AFTER = 5  # the code below shows where the code at the cursor leads
BLOCK_LINES = 40
BLOCKS_EACH_WAY = 50  # 2,000 lines; words further away say little, and a file may have a million lines
FAR = 20_000
WORDS_A_LINE = 8  # so that places by lines compare with places by words

_NAME = re.compile(r"[^\W\d]\w*")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Nearby:
    """The words around a cursor.

    ``near`` are those of the window around it with their place, the nearest first; ``distance`` holds all words of the
    file with how many words away the nearest use stands. ``before`` and ``after`` tell how many lines back and on a
    name stands, short ones too: blank lines left out near the cursor, and to some forty lines farther away. ``beside``
    holds the words of the lines that touch the cursor, two above and one below.
    """

    near: Mapping[str, int]
    distance: Mapping[str, int]
    before: Mapping[str, int]
    after: Mapping[str, int]
    beside: frozenset[str]


def words_around(text: str, offset: int) -> Nearby:
    """Return the words around an offset of a text."""
    start, end = _lines_back(text, offset, WINDOW_LINES), _lines_on(text, offset, LINES_AFTER)
    before, after = WORD.findall(text, start, offset), WORD.findall(text, offset, end)
    near = {word: place for place, word in enumerate(dict.fromkeys([*reversed(before), *after]))}
    distance: dict[str, int] = dict(near)
    above, below = _lines_of(text[start:offset])[::-1], _lines_of(text[offset:end])
    ways: list[dict[str, int]] = []
    for lines, pieces, first in (
        (above, _blocks_back(text, start), WINDOW_LINES),
        (below, _blocks_on(text, end), LINES_AFTER),
    ):
        distances: dict[str, int] = {}
        for number, piece in enumerate(pieces):
            away = (WINDOW_LINES + number * BLOCK_LINES) * WORDS_A_LINE
            for word in _words_of(piece):
                if distance.get(word, FAR) > away:
                    distance[word] = away
        for number in range(len(pieces) - 1, -1, -1):  # the farthest first, so that the nearest stays
            distances.update(dict.fromkeys(_names_of(pieces[number]), first + number * BLOCK_LINES))
        for number in range(len(lines) - 1, -1, -1):
            distances.update(dict.fromkeys(_NAME.findall(lines[number]), number))
        ways.append(distances)
    beside = frozenset(word for line in [*above[:2], *below[:1]] for word in _words_of(line))
    return Nearby(near, distance, ways[0], ways[1], beside)


def _lines_of(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


@lru_cache(maxsize=65_536)
def identifier_parts(name: str) -> frozenset[str]:
    """Cut ``parseHTTPReply`` or ``parse_http_reply`` into its words, in lower case; single letters are left out."""
    return frozenset(part.lower() for part in _PARTS.findall(name) if len(part) > 1)


@lru_cache(maxsize=4096)
def _names_of(piece: str) -> tuple[str, ...]:
    """Return all names of a block, those of one and two letters too."""
    return tuple(dict.fromkeys(_NAME.findall(piece)))


@lru_cache(maxsize=4096)
def _words_of(piece: str) -> tuple[str, ...]:
    """Return the words of a block in their order, which for a set would differ from process to process."""
    return tuple(dict.fromkeys(WORD.findall(piece)))


def _blocks_back(text: str, end: int) -> list[str]:
    """Split the text before the cursor into blocks whose edges are at the same lines for every cursor."""
    pieces = []
    lines = text.count("\n", 0, end) % BLOCK_LINES or BLOCK_LINES
    for _ in range(BLOCKS_EACH_WAY):
        if end <= 0:
            break
        start = _lines_back(text, end, lines)
        lines = BLOCK_LINES
        pieces.append(text[start:end])
        end = start
    return pieces


def _blocks_on(text: str, start: int) -> list[str]:
    pieces = []
    lines = BLOCK_LINES - text.count("\n", 0, start) % BLOCK_LINES
    for _ in range(BLOCKS_EACH_WAY):
        if start >= len(text):
            break
        end = _lines_on(text, start, lines)
        lines = BLOCK_LINES
        pieces.append(text[start:end])
        start = end
    return pieces


def _lines_back(text: str, offset: int, lines: int) -> int:
    """Return the start of the line a number of lines back."""
    for _ in range(lines):
        offset = text.rfind("\n", 0, offset)
        if offset < 0:
            return 0
    return offset


def _lines_on(text: str, offset: int, lines: int) -> int:
    for _ in range(lines):
        offset = text.find("\n", offset + 1)
        if offset < 0:
            return len(text)
    return offset
