"""Decide which diagnostics of an edited text are new. Pure.

A diagnostic is the same if its code and message are, on the line that the edits move it to. On changed lines the line
does not count, because an edit may move code: there every diagnostic before allows one after.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from spark_lsp.verdict.base import EditedFile, ToolProblem

_PLACE: Final = re.compile(r"\b(line|lines) \d+|:\d+(:\d+)?\b")
_Key = tuple[Path, str, str]


def new_problems(
    before: Iterable[ToolProblem], after: Iterable[ToolProblem], files: Sequence[EditedFile]
) -> tuple[ToolProblem, ...]:
    """Return the diagnostics after the edits that were not there before them, in their order."""
    movers = {file.path: _LineMap(file) for file in files}
    at_line: Counter[tuple[_Key, int]] = Counter()
    moved: Counter[_Key] = Counter()
    for problem in before:
        line = movers[problem.path].line_after(problem.line) if problem.path in movers else problem.line
        if line is None:
            moved[_key(problem)] += 1
        else:
            at_line[_key(problem), line] += 1
    added = []
    for problem in after:
        key = _key(problem)
        is_edited = problem.path in movers and movers[problem.path].is_edited(problem.line)
        if at_line[key, problem.line]:
            at_line[key, problem.line] -= 1
        elif is_edited and moved[key]:
            moved[key] -= 1
        else:
            added.append(problem)
    return tuple(added)


def _key(problem: ToolProblem) -> _Key:
    """Return what a diagnostic is recognised by; places in its message move too."""
    return problem.path, problem.code, _PLACE.sub("#", problem.message)


class _LineMap:
    """Maps lines of a text to those of the edited text. Lines count from 1; 0 stands for the file."""

    def __init__(self, file: EditedFile) -> None:
        starts = [0, *(match.end() for match in re.finditer(r"\n", file.text))]
        line_starts = frozenset(starts)
        self._changed: list[tuple[int, int]] = []
        """First and last line of each edit before it, in order and apart."""
        self._edited: list[tuple[int, int]] = []
        """The lines that took their place."""
        self._shifts: list[int] = []
        """By how many lines what follows has moved."""
        shift = 0
        for edit in sorted(file.edits, key=lambda edit: edit.span):
            first, last = bisect_right(starts, edit.span.start), bisect_right(starts, edit.span.end)
            added = edit.new_text.count("\n") - (last - first)
            ends_line = edit.new_text.endswith("\n") or (not edit.new_text and edit.span.start in line_starts)
            kept = 1 if ends_line and edit.span.end in line_starts else 0  # the line behind whole lines is as it was
            self._changed.append((first, last - kept))
            self._edited.append((first + shift, last + shift + added - kept))
            shift += added
            self._shifts.append(shift)

    def line_after(self, line: int) -> int | None:
        """Return where a line is after the edits; None if an edit touches it."""
        shift = 0
        for (first, last), following in zip(self._changed, self._shifts, strict=True):
            if first <= line <= last:
                return None
            if line < first:
                break
            shift = following
        return line + shift

    def is_edited(self, line: int) -> bool:
        """Whether a line of the edited text was touched."""
        return any(first <= line <= last for first, last in self._edited)
