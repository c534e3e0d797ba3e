"""Turn a model's answer for an empty body into the body's text. Pure; the checks decide whether it parses.

Cuts the answer where it leaves the body, drops repetitions of the signature, and applies the document's indentation.
"""

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from spark_lsp.actions.body_edit import BodyEdit
from spark_lsp.actions.empty_function import EmptyFunction
from spark_lsp.actions.layout import TAB_COLUMNS, columns, line_start, white_space
from spark_lsp.actions.scan import Line, Scan, scan

REPEATED_LINES: Final = 4
REPEATED_BLOCKS: Final = 3
MAX_BLOCK_LINES: Final = 6
_STUTTER = re.compile(r"(\S.{0,39}?)\1{7,}", re.DOTALL)  # eight times in a row; a line of dashes is handled below
_RULER = re.compile(r"[-=*#~_.\s]+")
_LEAK = re.compile(
    r"<\|\w{2,}\|?>?|<｜|</?(?:fim_\w+|file_sep|repo_name|filename|reponame|think|COMPLETION|PRE|SUF|MID|EOT)>"
    r"|<\[fim-\w+\]>|▁<\w+>|\[(?:PREFIX|SUFFIX|MIDDLE)\]|(?:^|(?<=\n))[ \t]*```"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]"
)
_DOCSTRING = re.compile(
    r"[rRuUbB]?(?:(\"\"\"|''')(?:.*?)\1|(?P<quote>[\"'])[^\n]*?(?P=quote)(?=\s*(?:\n|$)))", re.DOTALL
)
_LEAVES = re.compile(r"(?:return|raise|throw)\b")


@dataclass(frozen=True, slots=True)
class InsertionPoint:
    """The place of the new body: its language, what it replaces and the code around it."""

    language: str
    function: EmptyFunction
    body_edit: BodyEdit
    text: str
    """The document."""


@dataclass(frozen=True, slots=True)
class ModelBody:
    """Indented lines of a body; ``ended`` if no further text could belong to them."""

    lines: tuple[str, ...]
    ended: bool
    repeats: bool = False

    def text(self, newline: str) -> str:
        """Return the lines as one text; the first without indentation, which the body edit adds."""
        return newline.join(self.lines).lstrip(" \t")


@dataclass(frozen=True, slots=True)
class _Row:
    """A line and its column relative to the body's level; None for a line that must stay as it is."""

    line: Line
    within: int | None

    @property
    def content(self) -> str:
        return self.line.text.strip()


def model_body(point: InsertionPoint, raw: str, *, finished: bool) -> ModelBody:
    """Return the body in an answer so far; in an unfinished answer the last line may still grow."""
    raw = raw.replace("\r\n", "\n").replace("\r", "\n")
    leak = _LEAK.search(raw)
    raw = raw[: leak.start()] if leak else raw
    raw, has_echo = _without_echo(point, raw)
    scanned = scan(raw, point.language)
    rows, has_left = _level(point, scanned, lenient=has_echo)
    rows, is_over = _until_it_returns(point, rows)
    ended = bool(leak) or scanned.closed or has_left or is_over
    if _repeats(rows, whole=finished or ended):
        return ModelBody((), ended=True, repeats=True)
    return ModelBody(tuple(_laid_out(point, _without_ends(point, rows))), ended)


def _without_echo(point: InsertionPoint, raw: str) -> tuple[str, bool]:
    """Drop a signature and a docstring that the model repeats."""
    start = point.function.node.span.start
    opening = point.function.interior.start
    has_echo = False
    for begin in (line_start(point.text, start), start):
        rest = _after(raw, point.text[begin:opening])
        if rest is not None:
            raw, has_echo = rest, True
            break
    if point.function.has_docstring and (match := _DOCSTRING.match(raw.lstrip())):
        rest = raw.lstrip()[match.end() :]
        raw = rest if rest.strip(" \t").startswith("\n") else rest.lstrip()
    kept = {line.strip() for span in point.function.kept for line in span.text(point.text).split("\n")}
    lines = raw.split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip() and line.strip() not in kept]
    first = filled[0] if filled else len(lines)
    if any(line.strip() for line in lines[:first]):
        raw = "\n" + "\n".join(lines[first:])
    return raw, has_echo


def _after(raw: str, header: str) -> str | None:
    """Return the text after a header that it starts with, ignoring white space; None if it does not."""
    wanted = "".join(header.split())
    at = 0
    for position, char in enumerate(raw):
        if at == len(wanted):
            return raw[position:]
        if char.isspace():
            continue
        if char != wanted[at]:
            return None
        at += 1
    return "" if at == len(wanted) else None


def _level(point: InsertionPoint, scanned: Scan, *, lenient: bool) -> tuple[list[_Row], bool]:
    """Measure each line from the body's level, up to the first one that is further out; whether there was one."""
    lines = list(scanned.lines)
    while lines and not lines[0].text.strip():
        lines.pop(0)
    if not lines:
        return [], False
    is_cut = len(lines) < len(scanned.lines)
    base = _base(point, lines, starts_again=is_cut, lenient=lenient)
    if base is None:
        return [], True
    rows: list[_Row] = []
    for number, line in enumerate(lines):
        width = base if number == 0 and not is_cut else _width(line)
        is_outside = line.text.strip() and not line.in_string and not line.depth and width < base
        if is_outside and not point.function.in_braces:
            return rows, True
        rows.append(_Row(line, None if line.in_string else max(0, width - base)))
    return rows, False


def _base(point: InsertionPoint, lines: list[Line], *, starts_again: bool, lenient: bool) -> int | None:
    """Return the column of the body's level in the model's text; None if the text starts outside the body."""
    inner = columns(point.body_edit.indent)
    first = _width(lines[0])
    below = [line for line in lines[1:] if line.text.strip() and not line.in_string and not _depth(line)]
    least = min((_width(line) for line in below), default=inner)
    if starts_again:
        return first if first >= inner or lenient or point.function.in_braces else None
    if point.function.in_braces and least < inner:
        return least
    if not first or least < inner + first or not below:
        return inner
    # Blanks before the first word: the model repeats the indentation before the cursor, or only seems to.
    return inner if _opens(point, lines[0].text) and _width(below[0]) <= inner + first else inner + first


def _depth(line: Line) -> int:
    """Return how many brackets are open around a line."""
    return max(0, line.depth - (line.text.strip()[:1] in {")", "]", "}"}))


def _width(line: Line) -> int:
    return columns(line.text[: len(line.text) - len(line.text.lstrip(" \t"))])


def _opens(point: InsertionPoint, line: str) -> bool:
    return line.rstrip().endswith(tuple("{([") if point.function.in_braces else (":", "{", "(", "["))


def _until_it_returns(point: InsertionPoint, rows: list[_Row]) -> tuple[list[_Row], bool]:
    """Cut after a return at the body's own level, because nothing after it runs."""
    is_leaving = False
    for number, (row, after) in enumerate(pairwise(rows)):
        if row.within == 0 and not row.line.depth:
            is_leaving = bool(_LEAVES.match(row.content))
        is_whole = not after.line.depth and not after.line.in_string
        ends = row.content.endswith(";") if point.function.in_braces else not row.content.endswith("\\")
        if is_leaving and is_whole and ends and row.content:
            return rows[: number + 1], True
    return rows, False


def _repeats(rows: list[_Row], *, whole: bool) -> bool:
    """Whether the text repeats the same lines, or the same characters, again and again."""
    sentences = [row.content for row in rows if row.content]
    sentences = sentences if whole else sentences[:-1]
    for block in range(1, MAX_BLOCK_LINES + 1):
        times = REPEATED_LINES if block == 1 else REPEATED_BLOCKS
        for start in range(len(sentences) - block * times + 1):
            pattern = sentences[start : start + block]
            is_telling = sum(char.isalnum() for line in pattern for char in line) >= 3
            if is_telling and sentences[start : start + block * times] == pattern * times:
                return True
    return any(not _RULER.fullmatch(match[1]) for match in _STUTTER.finditer("\n".join(sentences)))


def _without_ends(point: InsertionPoint, rows: list[_Row]) -> list[_Row]:
    """Drop empty lines and comments at the end, which announce code that did not come."""
    mark = "#" if not point.function.in_braces else "//"
    while rows and (not rows[-1].content or (rows[-1].within is not None and rows[-1].content.startswith(mark))):
        rows = rows[:-1]
    return rows


def _laid_out(point: InsertionPoint, rows: list[_Row]) -> list[str]:
    """Return the lines in the document's indentation."""
    body_edit = point.body_edit
    unit = TAB_COLUMNS if body_edit.unit == "\t" else len(body_edit.unit)
    step = _step(point, rows) or unit
    laid = []
    for row in rows:
        if row.within is None:
            laid.append(row.line.text)
        elif row.content:
            width = row.within // step * unit + row.within % step
            laid.append(body_edit.indent + white_space(width, body_edit.unit) + row.line.text.strip(" \t"))
        else:
            laid.append("")
    return laid


def _step(point: InsertionPoint, rows: list[_Row]) -> int:
    """Return the indentation step of the model's first block in columns; 0 if there is none."""
    written_rows = [row for row in rows if row.content and row.within is not None]
    for above, below in pairwise(written_rows):
        if _opens(point, above.content) and below.within is not None and above.within is not None:
            return max(0, below.within - above.within)
    return 0


def without_last_line(lines: ModelBody) -> ModelBody:
    """Return a text without its last line and without empty lines at its end."""
    kept = lines.lines[:-1]
    while kept and not kept[-1].strip():
        kept = kept[:-1]
    return replace(lines, lines=kept)
