"""Scan a model's unfinished text line by line for strings, bracket depth and surplus closing brackets. Pure.

Works on incomplete text, so it knows only quotes, comments and brackets of a language.
"""

import re
from dataclasses import dataclass
from typing import Final

_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
_QUOTED = r""""(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'"""
_CHARACTER = r""""(?:\\.|[^"\\])*"?|'(?:\\[^']*|[^'\\\n])'"""  # in Rust a lone ' begins a lifetime
_BRACKETS = r"[()\[\]{}]"
_PYTHON = re.compile(rf'"""|\'\'\'|{_QUOTED}|#[^\n]*|{_BRACKETS}')
_BRACES = re.compile(rf"`|{_QUOTED}|//[^\n]*|/\*|{_BRACKETS}")
_RUST = re.compile(rf"{_CHARACTER}|//[^\n]*|/\*|{_BRACKETS}")
_CLOSES: Final = {'"""': '"""', "'''": "'''", "`": "`", "/*": "*/"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: ``depth`` is the number of open brackets at its start, ``in_string`` whether it starts in a string."""

    text: str
    depth: int
    in_string: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """The lines up to a closing bracket that the text did not open; ``closed`` if there is one."""

    lines: tuple[Line, ...]
    closed: bool


def scan(text: str, language: str) -> Scan:
    """Scan a text up to its end or the first surplus closing bracket."""
    pattern = {"python": _PYTHON, "rust": _RUST}.get(language, _BRACES)
    stack: list[str] = []
    events: list[tuple[int, int]] = []
    strings: list[tuple[int, int]] = []
    at, end = 0, len(text)
    while match := pattern.search(text, at):
        word, at = match[0], match.end()
        if word in _CLOSES:
            close = _find_close(text, at, _CLOSES[word])
            at = len(text) if close < 0 else close + len(_CLOSES[word])
            if word != "/*":
                strings.append((match.start(), at))
        elif word in "([{":
            stack.append(word)
        elif word in _PAIRS:
            if not stack or stack.pop() != _PAIRS[word]:
                end = match.start()
                break
        elif "\n" in word:
            strings.append((match.start(), at))
        events.append((at, len(stack)))
    return Scan(_lines(text[:end], events, strings), end < len(text))


def _find_close(text: str, at: int, mark: str) -> int:
    """Return where an unescaped mark is, or -1."""
    end = text.find(mark, at)
    while end > 0 and mark != "*/" and text[end - 1] == "\\" and text[end - 2 : end] != "\\\\":
        end = text.find(mark, end + 1)
    return end


def _lines(text: str, events: list[tuple[int, int]], strings: list[tuple[int, int]]) -> tuple[Line, ...]:
    lines, start, depth, event = [], 0, 0, 0
    for line in text.split("\n"):
        while event < len(events) and events[event][0] <= start:
            depth = events[event][1]
            event += 1
        lines.append(Line(line, depth, any(low < start < high for low, high in strings)))
        start += len(line) + 1
    return tuple(lines)
