"""Make the typing trace from this project's sources by rule: visits to files, each a few lines typed key by key.

A visit types lines that were removed from its file, so that the typed text is real code. The same files
always give the same trace; ``Trace.digest`` names it.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

VISITED = (0, 1, 0, 2)
"""The file of each visit, by its index: a switch, a switch back, and a third file."""

MIN_FILE_LINES = 120
"""Lines; a shorter file has no text that llama.vim does not send anyway, which makes a switch cheap."""

MIN_KEYS, MAX_KEYS = 13, 40  # of one visit; the shortest pair of lines is chosen, some 20 keys
_PLACES = (0.35, 0.7)  # how far down a file its first and its second visit type
_STATEMENT = re.compile(r"[a-zA-Z_]\w*[^\w]")  # begins with a name, not with a bracket, a quote or a comment


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit to a file: its text on arrival, the cursor in code points, and the text that each key inserts."""

    path: str
    text: str
    offset: int
    keys: tuple[str, ...]

    @property
    def left_behind(self) -> str:
        """The file's text after the visit."""
        return self.text[: self.offset] + "".join(self.keys) + self.text[self.offset :]


@dataclass(frozen=True, slots=True)
class Trace:
    """Visits in order, and the workspace's other files, which never change."""

    visits: tuple[Visit, ...]
    files: Mapping[str, str]
    """The files on disk at the start: path within the workspace, text."""

    @property
    def keys(self) -> int:
        """Number of keys in all visits."""
        return sum(len(visit.keys) for visit in self.visits)

    @property
    def digest(self) -> str:
        """A short name for all typed and indexed text; two runs with the same digest have the same work."""
        digest = hashlib.sha256()
        for text in (*(part for item in sorted(self.files.items()) for part in item), *self._typed()):
            digest.update(text.encode() + b"\0")
        return digest.hexdigest()[:12]

    def _typed(self) -> Iterator[str]:
        for visit in self.visits:
            yield from (visit.path, str(visit.offset), *visit.keys)


def source_files(root: Path) -> dict[str, str]:
    """Return the Python files of the project's package, by path within the repository."""
    paths = sorted((root / "spark_lsp").rglob("*.py"))
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in paths}


def record(files: Mapping[str, str], visited: Sequence[int] = VISITED) -> Trace:
    """Return the trace of a workspace.

    Raises:
        ValueError: too few of its files are long enough and have lines to type.
    """
    chosen = _choose(files, max(visited) + 1)
    texts = dict(files)
    lines_of: dict[str, list[int]] = {}
    for number, path in enumerate(chosen):
        stays = list(visited).count(number)
        lines_of[path] = [line for line in _places(files[path]) if line is not None][:stays]
        # From the end, so that earlier places keep their line numbers.
        for line in reversed(lines_of[path]):
            texts[path] = _without(texts[path], line)
    start = dict(texts)
    visits = []
    gone_before = dict.fromkeys(chosen, 0)
    for number in visited:
        path = chosen[number]
        line = lines_of[path][gone_before[path]]
        gone_before[path] += 1
        visit = _visit(path, files[path], texts[path], line)
        texts[path] = visit.left_behind
        visits.append(visit)
    return Trace(tuple(visits), start)


def _choose(files: Mapping[str, str], count: int) -> list[str]:
    """Choose files at even steps through the workspace, among those that all visits can use."""
    fit = [
        path
        for path, text in sorted(files.items())
        if text.count("\n") >= MIN_FILE_LINES and None not in (places := _places(text)) and len(set(places)) > 1
    ]
    if len(fit) < count:
        raise ValueError(f"The trace needs {count} files with lines to type, the workspace has {len(fit)}.")
    step = len(fit) // count
    return [fit[number * step + step // 2] for number in range(count)]


def _places(text: str) -> list[int | None]:
    """Return the first of two lines to type at each of the two depths of a file; None if there are no such lines."""
    lines = text.split("\n")
    middle = int(len(lines) * sum(_PLACES) / len(_PLACES))
    ranges = ((int(len(lines) * _PLACES[0]), middle - 1), (int(len(lines) * _PLACES[1]), len(lines) - 2))
    fit = ([at for at in range(*bounds) if _is_typed(lines[at], lines[at + 1])] for bounds in ranges)
    return [min(places, key=lambda at: _keys(lines[at], lines[at + 1]), default=None) for places in fit]


def _is_typed(first: str, second: str) -> bool:
    """Whether a person would type two lines in a row: statements of one block, not too long."""
    depth = _indent(first)
    return (
        depth > 0
        and depth == _indent(second)
        and MIN_KEYS <= _keys(first, second) <= MAX_KEYS
        and all(_STATEMENT.match(line.strip()) and '"""' not in line for line in (first, second))
    )


def _keys(first: str, second: str) -> int:
    return len(first.strip()) + 1 + len(second.strip())


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _without(text: str, line: int) -> str:
    """Remove the typed text of two lines; the first line keeps its indentation, as an editor inserts it."""
    lines = text.split("\n")
    return "\n".join([*lines[:line], " " * _indent(lines[line]), *lines[line + 2 :]])


def _visit(path: str, whole: str, text: str, line: int) -> Visit:
    """Return a visit that types two lines of the complete text; other visits' lines below are still removed."""
    lines = whole.split("\n")
    indent = " " * _indent(lines[line])
    typed = (*lines[line].strip(), "\n" + indent, *lines[line + 1].strip())
    offset = len("\n".join(lines[:line])) + 1 + len(indent)
    return Visit(path, text, offset, typed)


def windows(text: str, lines: int) -> Iterator[list[str]]:
    """Split a text into chunks of that many lines; the last may be shorter."""
    every = text.split("\n")
    starts = [*range(0, len(every), lines), len(every)]
    yield from (every[start:end] for start, end in pairwise(starts))
