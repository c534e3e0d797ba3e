"""Chooses holes that look like real completions: the rest of a line, a few lines, a block, a span. Pure."""

import random
from dataclasses import dataclass
from typing import Literal

from models.training.corpus_file import SourceFile
from spark_lsp.text.snapshot import LineTable

Shape = Literal["line", "lines", "block", "span"]

# Most completions are the rest of a line; where lines and spans were .35, a model ran on past .77 of its line holes.
SHAPES: tuple[tuple[Shape, float], ...] = (("line", 0.6), ("lines", 0.1), ("block", 0.2), ("span", 0.1))
MAX_LINES = 8
MAX_BLOCK_LINES = 30
MAX_SPAN_CHARACTERS = 160
CLOSERS_STAY = 0.3  # share of line holes before closing brackets that leave them to the suffix, as editors insert them
FRESH_LINE = 0.25  # share of line holes that begin right behind the indentation
_CLOSERS = ")]}\"'`:;,"


@dataclass(frozen=True, slots=True)
class Hole:
    """What is missing: offsets into a file's text."""

    start: int
    end: int
    shape: Shape

    def of(self, text: str) -> str:
        """The missing text."""
        return text[self.start : self.end]


def choose_hole(chance: random.Random, file: SourceFile, *, most_characters: int) -> Hole:
    """Choose a hole of a random shape; one that is too long becomes the rest of a line."""
    (shape,) = chance.choices([name for name, _ in SHAPES], [share for _, share in SHAPES])
    return hole_of_shape(chance, file.text, shape, most_characters=most_characters)


def hole_of_shape(chance: random.Random, text: str, shape: Shape, *, most_characters: int) -> Hole:
    """Choose a hole of one shape in a text that has some line that is not blank."""
    lines = LineTable.of(text)
    line = _line_with_text(chance, text, lines)
    if shape == "span":
        start = chance.randrange(lines.starts[line], lines.ends[line] + 1)
        hole = Hole(start, min(len(text), start + chance.randint(1, MAX_SPAN_CHARACTERS)), shape)
    elif shape == "block":
        hole = _block(chance, text, lines, line)
    elif shape == "lines":
        last = min(len(lines.ends) - 1, line + chance.randint(1, MAX_LINES - 1))
        hole = Hole(_cursor(chance, text, lines, line), _content_end(text, lines, line, last), shape)
    else:
        hole = _rest_of_line(chance, text, lines, line)
    if hole.end - hole.start <= most_characters:
        return hole
    rest = _rest_of_line(chance, text, lines, line)
    return Hole(rest.start, min(rest.end, rest.start + most_characters), "line")


def _line_with_text(chance: random.Random, text: str, lines: LineTable) -> int:
    for _ in range(20):
        line = chance.randrange(len(lines.starts))
        if text[lines.starts[line] : lines.ends[line]].strip():
            return line
    return line


def _indentation(text: str, lines: LineTable, line: int) -> int:
    content = text[lines.starts[line] : lines.ends[line]]
    return len(content) - len(content.lstrip()) if content.strip() else -1


def _cursor(chance: random.Random, text: str, lines: LineTable, line: int) -> int:
    """Choose where in a line somebody stopped typing: behind its indentation or anywhere in its text."""
    start = lines.starts[line] + max(0, _indentation(text, lines, line))
    return start if chance.random() < FRESH_LINE else chance.randint(start, max(start, lines.ends[line] - 1))


def _rest_of_line(chance: random.Random, text: str, lines: LineTable, line: int) -> Hole:
    start, end = _cursor(chance, text, lines, line), lines.ends[line]
    closed = start + len(text[start:end].rstrip(_CLOSERS))
    if start < closed < end and chance.random() < CLOSERS_STAY:
        end = closed
    return Hole(start, end, "line")


def _content_end(text: str, lines: LineTable, first: int, last: int) -> int:
    """Return the end of the last line in a range that is not blank: no completion ends in blank lines."""
    while last > first and not text[lines.starts[last] : lines.ends[last]].strip():
        last -= 1
    return lines.ends[last]


def _block(chance: random.Random, text: str, lines: LineTable, line: int) -> Hole:
    """Choose the lines below a header that are indented deeper, from the header's end or from the first of them.

    The header is the next line from ``line`` on that something deeper follows.
    """
    for header in range(line, min(line + 40, len(lines.starts) - 1)):
        depth, below = _indentation(text, lines, header), _indentation(text, lines, header + 1)
        if 0 <= depth < below:
            break
    else:
        return _rest_of_line(chance, text, lines, line)
    last = header + 1
    while last + 1 < len(lines.starts) and last - header < MAX_BLOCK_LINES:
        inner = _indentation(text, lines, last + 1)
        if 0 <= inner <= depth:
            break
        last += 1
    behind_header = chance.random() < 0.5
    start = lines.ends[header] if behind_header else lines.starts[header + 1] + below
    return Hole(start, _content_end(text, lines, header + 1, last), "block")
