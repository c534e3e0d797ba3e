"""Trims the output while the model streams: named rules cut the text and stop the model. Pure.

The result depends on the text alone, never on the slices of the stream: each rule knows after how many characters it
fires, and the earliest one wins.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from rapidfuzz.distance import Levenshtein

from spark_lsp.completion.brackets import CLOSERS, OPENERS, first_unopened, unclosed
from spark_lsp.completion.cursor_context import CursorContext, columns
from spark_lsp.text.edit import Span
from spark_lsp.text.quotes import lines_in_string

SIMILAR_LINE = 0.10
"""Two lines that differ in less than this share of their characters are the same line to a reader (Continue)."""
REPEATED_LINES = 3
CYCLE_REPEATS = 6
CYCLE_LONG_CHARACTERS, CYCLE_LONG_REPEATS = 12, 3
"""A whole phrase that is said three times is no accident either."""
CYCLE_MAX_CHARACTERS = 40
CYCLE_MIN_CHARACTERS: Final = 24  # a ruler of dashes or a short "0, 0, 0" is no accident

_MARK = r"<\|[A-Za-z_]{2,}\|?>?|</?(?:fim_[a-z]+|file_sep|repo_name|think|COMPLETION|PRE|SUF|MID|EOT)>|<｜"
_LEAK_IN_PROSE = re.compile(_MARK)
"""Where a fence is a part of the text."""
_LEAK = re.compile(_MARK + r"|(?:^|\n)[ \t]*```")
_KNOWN_AT_ONCE = re.compile(r"<\|[A-Za-z_]{2}|\n?[ \t]*```|<｜")
"""The forms of leaked text that are recognised by their beginning; the others when they are complete."""
_BLANK_LINES = re.compile(r"\n[ \t]*\n[ \t]*\n")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_CLOSING_WORD = re.compile(r"^(?:end\w*|fi|done|esac)\W*$")
"""How Lua, Ruby and shells end a block. That of an inner block says nothing of the same word below the cursor."""
_ONLY_BRACKETS = re.compile(r"^[\s()\[\]{}<>,;:]*$")


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The text that may be shown, the rule that cut it ("" for none), and whether the model can stop."""

    text: str
    rule: str
    done: bool


@dataclass(frozen=True, slots=True, order=True)
class _Cut:
    """A rule that fires once ``fires_at`` characters are there, and keeps the text up to ``position``."""

    fires_at: int
    position: int
    rule: str


def trim(cursor: CursorContext, raw: str, *, max_lines: int, finished: bool) -> Trimmed:
    """Apply every rule to what the model has said so far."""
    first = min([*_character_cuts(cursor, raw), *_line_cuts(cursor, raw, max_lines)], default=None)
    text, rule = (raw[: first.position], first.rule) if first else (raw, "")
    if not (finished or first):
        return Trimmed(text, "", done=False)
    # The last line ends here, so it can be judged as a whole.
    last = min(_line_cuts(cursor, text + "\n", max_lines), default=None)
    if last and last.position < len(text):
        text, rule = text[: last.position], last.rule
    return Trimmed(text, rule, done=True)


def _character_cuts(cursor: CursorContext, raw: str) -> Iterator[_Cut]:
    if cursor.renames(raw):
        yield _Cut(1, 0, "entry")
    leak = (_LEAK_IN_PROSE if cursor.has_fences else _LEAK).search(raw)
    if leak:
        begun = _KNOWN_AT_ONCE.match(raw, leak.start())
        yield _Cut(begun.end() if begun else leak.end(), leak.start(), "leak")
    blank = _BLANK_LINES.search(raw)
    if blank:
        yield _Cut(blank.end(), blank.start(), "blank_lines")
    paragraph = next((match for match in _BLANK_LINE.finditer(raw) if raw[: match.start()].strip()), None)
    if paragraph and not cursor.wants_body:
        yield _Cut(paragraph.end(), paragraph.start(), "paragraph")
    closer = first_unopened(cursor.open_brackets, raw, cursor.quotes)
    if closer is not None:
        yield _Cut(closer + 1, closer, "closer")
    cycle = _first_cycle(raw)
    if cycle:
        yield cycle


def _first_cycle(raw: str) -> _Cut | None:
    """Find the earliest end of a pattern that was said ``CYCLE_REPEATS`` times in a row; keep it twice.

    Twice, because the second time is on the screen before it is known to be one.
    """
    points = np.frombuffer(raw.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    cuts: list[_Cut] = []
    for period in range(1, min(CYCLE_MAX_CHARACTERS, len(points) // 2) + 1):
        repeats = CYCLE_REPEATS if period < CYCLE_LONG_CHARACTERS else CYCLE_LONG_REPEATS
        needed = max(period * (repeats - 1), CYCLE_MIN_CHARACTERS)
        differs = np.flatnonzero(points[period:] != points[:-period])
        edges = np.concatenate(([-1], differs, [len(points) - period]))
        long = np.flatnonzero(np.diff(edges) > needed)
        if long.size:
            start = int(edges[long[0]]) + 1
            if not raw[start : start + period].isspace():
                cuts.append(_Cut(start + period + needed, start + 2 * period, "cycle"))
    return min(cuts, default=None)


def _line_cuts(cursor: CursorContext, text: str, max_lines: int) -> Iterator[_Cut]:
    """Yield the cuts that complete lines call for; a line is complete once its line end is there."""
    ends = [match.start() for match in re.finditer("\n", text)]
    starts = [0, *(end + 1 for end in ends)]
    if not cursor.multi_line:
        yield from _single_line(cursor, text, ends)
    if len(ends) >= max_lines:
        yield _Cut(ends[max_lines - 1] + 1, ends[max_lines - 1], "max_lines")
    lines = [text[start : after - 1] for start, after in pairwise(starts)]
    yield from _repeats(cursor, ends, lines)
    for number, line in enumerate(lines):
        whole = cursor.line_prefix + line if number == 0 else line
        if _is_same_line(whole, cursor.next_line) and not _ends_inner_block(whole, cursor.next_line):
            yield _Cut(ends[number] + 1, max(0, starts[number] - 1), "next_line")
            break
    if cursor.multi_line:
        yield from _dedent(cursor, text, starts)
        yield from _bracket(cursor, text)
        yield from _block(cursor, text, starts)


def _single_line(cursor: CursorContext, text: str, ends: list[int]) -> Iterator[_Cut]:
    """End the line, or what is in the brackets that it opens: the rest of a call is part of it."""
    for end in ends:
        if cursor.line_suffix.strip() or not unclosed(text[:end], cursor.quotes):
            yield _Cut(end + 1, end, "single_line")
            return


def _bracket(cursor: CursorContext, text: str) -> Iterator[_Cut]:
    """Stop at the end of the line that closes the bracket with which the cursor's line ends."""
    if cursor.line_prefix.rstrip()[-1:] not in OPENERS:
        return
    closer = first_unopened("", text, cursor.quotes)
    end = -1 if closer is None else text.find("\n", closer)
    if end >= 0:
        yield _Cut(end + 1, end, "block_end")


def _block(cursor: CursorContext, text: str, starts: list[int]) -> Iterator[_Cut]:
    """Stop where the statement that the text begins with is complete, by the syntax tree, and another one begins.

    Where a body is still to be written, all of its statements are wanted.
    """
    if cursor.wants_body or cursor.tree is None:
        return
    for start, after in pairwise(starts[1:]):
        line = text[start : after - 1]
        is_deeper = any(columns(part) > cursor.indent_columns for part in text[:start].split("\n")[1:])
        if not line.strip() or columns(line) != cursor.indent_columns or not is_deeper:
            continue
        tree = cursor.tree.edited(Span(cursor.offset, cursor.offset), text[:after])
        node = tree.outermost_from(cursor.offset + start + len(line) - len(line.lstrip()))
        before = node.prev_named_sibling if node is not None and node.is_named else None
        begins = tree.to_byte(cursor.offset)
        if node is None or before is None or before.start_byte < begins:
            continue
        is_first = tree.source.count(b"\n", begins, before.start_byte) == 0
        if is_first and before.start_point.column == node.start_point.column:
            yield _Cut(after, start - 1, "block")
            return


def _repeats(cursor: CursorContext, ends: list[int], lines: list[str]) -> Iterator[_Cut]:
    """Yield where a line is said again and again. Closers of nested blocks are not: each is indented less."""
    indent = "" if cursor.line_prefix.strip() else cursor.line_prefix
    stripped = [(indent + line if number == 0 else line).rstrip() for number, line in enumerate(lines)]
    run = 1
    for number in range(1, len(stripped)):
        run = run + 1 if stripped[number] and stripped[number] == stripped[number - 1] else 1
        if run == REPEATED_LINES:
            yield _Cut(ends[number] + 1, ends[number - REPEATED_LINES + 1], "repeated_line")
            return


def _dedent(cursor: CursorContext, text: str, starts: list[int]) -> Iterator[_Cut]:
    """Stop where the block of the cursor ends: a line indented less than the block, its closing line included."""
    floor = cursor.indent_columns + 1 if cursor.opens_block else cursor.indent_columns
    language = cursor.language.name if cursor.language and cursor.string_closer is None else ""
    is_quoted = lines_in_string(language, text)  # what a string of several lines holds ends no block
    for number, start in enumerate(starts[1:], 1):
        if is_quoted[number : number + 1] == [True]:
            continue
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)]
        indent = len(line) - len(line.lstrip())
        if not line.strip() or columns(line) >= floor:
            continue
        closes = line.strip()[0] in CLOSERS and columns(line) == cursor.indent_columns and cursor.opens_block
        if not closes:
            yield _Cut(start + indent + 1, start - 1, "dedent")
        elif end >= 0:
            yield _Cut(end + 1, end, "block_end")
        return


def _ends_inner_block(line: str, outer: str) -> bool:
    return columns(line) > columns(outer) and _CLOSING_WORD.match(line.strip()) is not None


def _is_same_line(line: str, other_line: str) -> bool:
    """Whether two lines are equal or nearly so; lines of bare brackets recur in all code and never count."""
    ours, theirs = line.strip(), other_line.strip()
    if not ours or not theirs or _ONLY_BRACKETS.match(ours):
        return False
    if ours == theirs:
        return True
    allowed = int(max(len(ours), len(theirs)) * SIMILAR_LINE)
    return Levenshtein.distance(ours, theirs, score_cutoff=allowed) <= allowed if allowed else False
