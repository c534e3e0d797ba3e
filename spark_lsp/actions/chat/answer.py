"""The format of an answer, cheap to check while it streams: the new lines, then a fence, and nothing else. Pure.

The model's answer is begun for it with an opening fence, so the first thing that it writes is code.
"""

import re
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.layout import columns, white_space
from spark_lsp.actions.scan import scan

_FENCES: Final = re.compile(r"`{3,}")
_FIRST_FENCE: Final = re.compile(r"\s*`{3,}[\w+-]*[ \t]*\n")


@dataclass(frozen=True, slots=True)
class Lines:
    """What the model wrote in place of some lines; ``ended`` when its closing fence has come."""

    text: str
    ended: bool


def fence_for(*texts: str) -> str:
    """Return a fence that is longer than any in the texts it encloses."""
    longest = max((len(run) for text in texts for run in _FENCES.findall(text)), default=0)
    return "`" * max(3, longest + 1)


def lines_of(raw: str, fence: str) -> Lines:
    """Read an answer that was begun behind an opening fence; one that opens another fence at once is understood."""
    raw = raw.replace("\r\n", "\n").replace("\r", "\n")
    again = _FIRST_FENCE.match(raw)
    raw = raw[again.end() :] if again else raw
    end = re.search(rf"^[ \t]*{fence}`*[ \t]*$", raw, re.MULTILINE)
    text = raw[: end.start()] if end else raw
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    while lines and not lines[0].strip():
        lines.pop(0)
    return Lines("\n".join(line.rstrip() if not line.strip() else line for line in lines), end is not None)


def is_over(raw: str, fence: str) -> bool:
    """Whether the closing fence has come, on a line that is whole."""
    last = raw.rfind("\n")
    return last >= 0 and lines_of(raw[:last], fence).ended


def placed(text: str, original: str, language: str, unit: str) -> str:
    """Move lines to where the original's first line stands; what lies in a string of several lines stays as it is."""
    wanted = columns(_indent(original))
    found = columns(_indent(text))
    if not text or wanted == found:
        return text
    moved = []
    for line in scan(text, language).lines:
        if line.in_string or not line.text.strip():
            moved.append(line.text if line.in_string else "")
        else:
            body = line.text.lstrip(" \t")
            width = columns(line.text[: len(line.text) - len(body)]) + wanted - found
            moved.append(white_space(max(0, width), unit) + body)
    return "\n".join(moved)


def _indent(text: str) -> str:
    line = next((line for line in text.split("\n") if line.strip()), "")
    return line[: len(line) - len(line.lstrip(" \t"))]
