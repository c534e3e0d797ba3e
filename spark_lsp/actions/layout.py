"""Find a document's layout: its line ends and its indentation. Pure text, no syntax."""

import re
from collections import Counter
from typing import Final

TAB_COLUMNS: Final = 4
_LINES_LOOKED_AT: Final = 2000  # the layout shows long before that
_USUAL_UNITS: Final = {"go": "\t", "javascript": "  ", "typescript": "  ", "tsx": "  "}
_INDENTED = re.compile(r"^([ \t]*)(?=\S)", re.MULTILINE)


def newline_of(text: str) -> str:
    """Return the line end of most lines."""
    return "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"


def line_start(text: str, offset: int) -> int:
    """Return where the line of an offset starts."""
    return text.rfind("\n", 0, offset) + 1


def line_end(text: str, offset: int) -> int:
    """Return where the line of an offset ends, before its line end."""
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    return end - 1 if end > offset and text[end - 1] == "\r" else end


def indent_of(text: str, offset: int) -> str:
    """Return the white space at the start of an offset's line, up to the offset."""
    line = text[line_start(text, offset) : offset]
    return line[: len(line) - len(line.lstrip(" \t"))]


def starts_line(text: str, offset: int) -> bool:
    """Whether only white space precedes the offset on its line."""
    return not text[line_start(text, offset) : offset].strip(" \t")


def columns(indent: str) -> int:
    """Return the width of leading white space."""
    return len(indent.expandtabs(TAB_COLUMNS))


def indent_unit(text: str, language: str) -> str:
    """Return one level of indentation: the step of most lines, or the language's usual one."""
    votes: Counter[str] = Counter()
    previous = ""
    for number, match in enumerate(_INDENTED.finditer(text)):
        indent = match[1]
        if indent.startswith(previous) and indent != previous:
            step = indent[len(previous) :]
            votes["\t" if "\t" in step else step] += 1
        previous = indent
        if number > _LINES_LOOKED_AT:
            break
    usable = [unit for unit, _count in votes.most_common() if unit == "\t" or 2 <= len(unit) <= 8]
    return usable[0] if usable else _USUAL_UNITS.get(language, "    ")


def white_space(width: int, unit: str) -> str:
    """Return white space of a width, in the document's characters."""
    return "\t" * (width // TAB_COLUMNS) + " " * (width % TAB_COLUMNS) if unit == "\t" else " " * width
