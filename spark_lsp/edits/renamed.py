"""The renaming that the last edits began: one identifier became another, the same at every place that changed. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from spark_lsp.text.edit import Span
from spark_lsp.text.syntax import common_length

MAX_EMPTY: Final = 4
"""Bursts without a renaming after which older ones are ignored: the user is doing something else."""
MAX_CHANGED_CHARACTERS: Final = 200_000
_TOKEN = re.compile(r"[^\W\d]\w*|\d\w*|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Renamed:
    """``old`` became ``new`` at ``places``, which are spans of ``before``; the document is otherwise as it was."""

    before: str
    old: str
    new: str
    places: tuple[Span, ...]


def renamed(texts_before: Iterable[str], now: str) -> Renamed | None:
    """Return the renaming between an old text and the current text; the longest possible one counts."""
    longest: Renamed | None = None
    empty = 0
    for before in texts_before:
        renaming = renamed_between(before, now)
        if renaming is not None:
            longest = renaming
        elif longest is not None:
            break
        else:
            empty += 1
            if empty >= MAX_EMPTY:
                break
    return longest


def renamed_between(before: str, now: str) -> Renamed | None:
    """Return the renaming between two texts; None when they differ in anything else."""
    start, end = _changed(before, now)
    old_part, new_part = before[start : len(before) - end], now[start : len(now) - end]
    if max(len(old_part), len(new_part)) > MAX_CHANGED_CHARACTERS:
        return None
    old_tokens, new_tokens = _TOKEN.findall(old_part), _TOKEN.findall(new_part)
    if len(old_tokens) != len(new_tokens):
        return None
    places: list[Span] = []
    names: set[tuple[str, str]] = set()
    at = start
    for old, new in zip(old_tokens, new_tokens, strict=True):
        if old != new:
            names.add((old, new))
            places.append(Span(at, at + len(old)))
        at += len(old)
        if len(names) > 1:
            return None
    if not names:
        return None
    old, new = names.pop()
    return Renamed(before, old, new, tuple(places)) if old.isidentifier() and new.isidentifier() else None


def _changed(before: str, now: str) -> tuple[int, int]:
    """Return the lengths of the common beginning and end, moved out of the middle of words."""
    start = common_length(before, now)
    rest = min(len(before), len(now)) - start
    end = common_length(before[::-1][:rest], now[::-1][:rest])
    while start and _is_word(before[start - 1]):
        start -= 1
    while end and _is_word(before[len(before) - end]):
        end -= 1
    return start, end


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
