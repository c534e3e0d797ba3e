"""Choose cursors in a file as in typing: in words, behind blanks, at line starts, before blocks. Pure.

The text to type next is removed: the rest of the line, or of the block if a line begins.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REGION_LINES: Final = 16
"""Cursors of a region share the start of their window, so that the model has prefilled most of it already."""
WINDOW_LINES_BEFORE, WINDOW_LINES_AFTER = 12, 6
MAX_LINE: Final = 160
KINDS: Final = ("word", "blank", "sign", "line", "end")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a document, the window in the prompt, and the removed text."""

    path: str
    kind: str
    before: str
    after: str
    coming: str
    """The text that was removed at the cursor."""
    shown_before: str
    shown_after: str


def snippets_of(text: str) -> Iterator[Cursor]:
    """Yield the cursors of short texts written for this purpose: ``@@ path`` before each, ``$0`` at the cursor."""
    for section in re.split(r"^@@ ", text, flags=re.MULTILINE)[1:]:
        path, _, body = section.partition("\n")
        before, _, after = body.removesuffix("\n").partition("$0")
        yield Cursor(path, "snippet", before, after, "", before, after)


def cursors_of(path: Path, name: str, regions: int, chance: random.Random) -> Iterator[Cursor]:
    """Yield cursors of some regions of a file, from the top of each to its end."""
    text = path.read_text("utf-8", errors="replace")
    lines = text.split("\n")
    starts = list(range(0, max(1, len(lines) - 4), REGION_LINES))
    for start in sorted(chance.sample(starts, min(regions, len(starts)))):
        for number in range(start, min(start + REGION_LINES, len(lines))):
            place = _place(lines[number], chance)
            if place is None:
                continue
            kind, column = place
            end = _end_of_block(lines, number) if kind == "line" else number + 1
            begun = "".join(line + "\n" for line in lines[:number]) + lines[number][:column]
            coming = "\n".join(lines[number:end])[column:]
            rest = "".join("\n" + line for line in lines[end:])
            first = max(0, start - WINDOW_LINES_BEFORE)
            shown = "".join(line + "\n" for line in lines[first:number]) + lines[number][:column]
            behind = "".join("\n" + line for line in lines[end : end + WINDOW_LINES_AFTER])
            yield Cursor(name, kind, begun, rest, coming, shown, behind)


def _place(line: str, chance: random.Random) -> tuple[str, int] | None:
    """Choose a column in a line, for one line in two; none in lines that are blank or very long."""
    if not line.strip() or len(line) > MAX_LINE or chance.random() < 0.5:
        return None
    indent = len(line) - len(line.lstrip())
    places = {
        "word": [match.start() + 1 for match in re.finditer(r"\w(?=\w)", line)],
        "blank": [match.end() for match in re.finditer(r"\S (?=\S)", line)],
        "sign": [match.end() for match in re.finditer(r"[.(\[{,=:\"'](?=\S)", line)],
        "line": [indent],
        "end": [len(line)],
    }
    kinds = [kind for kind in KINDS if places[kind]]
    kind = chance.choices(kinds, [3 if kind in ("word", "line") else 2 if kind != "end" else 1 for kind in kinds])[0]
    return kind, chance.choice(places[kind])


def _end_of_block(lines: list[str], number: int) -> int:
    """Return the line after a few statements that start at a line in its block."""
    indent = len(lines[number]) - len(lines[number].lstrip())
    end = number + 1
    while end < len(lines) and end - number < 6:
        line = lines[end]
        if not line.strip() or len(line) - len(line.lstrip()) < indent:
            break
        end += 1
    return end
