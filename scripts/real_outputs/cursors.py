"""Cursors in a file as a typist comes to them: in words, behind blanks, at line starts, before blocks. Pure.

What would be typed next is cut out: the rest of the line, or of the block where a line is begun.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REGION_LINES: Final = 16
"""Cursors of a region share the start of their window, so that the model has read most of it already."""
WINDOW_LINES_BEFORE, WINDOW_LINES_AFTER = 12, 6
MAX_LINE: Final = 160
KINDS: Final = ("word", "blank", "sign", "line", "end")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a document, the window that the model is shown, and what was there."""

    path: str
    kind: str
    before: str
    after: str
    coming: str
    """The text that was cut out at the cursor."""
    shown_before: str
    shown_after: str


def snippets_of(text: str) -> Iterator[Cursor]:
    """Yield the cursors of short texts that are written for it: ``@@ path`` before each, ``$0`` where it stands."""
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
    """Choose where in a line a typist asks, one line in two; none in lines that are blank or very long."""
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
    """Return the line behind the statements that stand from a line on in its block, a few of them at most."""
    indent = len(lines[number]) - len(lines[number].lstrip())
    end = number + 1
    while end < len(lines) and end - number < 6:
        line = lines[end]
        if not line.strip() or len(line) - len(line.lstrip()) < indent:
            break
        end += 1
    return end
