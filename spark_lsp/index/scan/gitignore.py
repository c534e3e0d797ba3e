"""Match the patterns of ignore files as git's ``dir.c`` and ``wildmatch.c`` do. Pure; works on bytes.

Patterns come from whoever wrote the repository, so matching takes time in proportion to pattern and path: each part
between two stars is matched at its first place and never again, which ``re`` does in atomic groups.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

MAX_PATTERN_BYTES: Final = 4_096  # no path is longer
MAX_PATTERNS: Final = 20_000  # of one file; each may cost a match for each path of the workspace

IS_CASE_INSENSITIVE: Final = sys.platform in ("win32", "darwin")
"""Whether git ignores case unless it is told otherwise (``core.ignoreCase``, which ``git init`` sets by the system)."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_SPECIAL: Final = b"*?[\\"
_CLASSES: Final[Mapping[bytes, Callable[[int], bool]]] = {
    b"alnum": lambda byte: chr(byte).isalnum(),
    b"alpha": lambda byte: chr(byte).isalpha(),
    b"blank": lambda byte: byte in b" \t",
    b"cntrl": lambda byte: byte < 32 or byte == 127,
    b"digit": lambda byte: chr(byte).isdigit(),
    b"graph": lambda byte: 32 < byte < 127,
    b"lower": lambda byte: chr(byte).islower(),
    b"print": lambda byte: 32 <= byte < 127,
    b"punct": lambda byte: 32 < byte < 127 and not chr(byte).isalnum(),
    b"space": lambda byte: byte in b" \t\n\v\f\r",
    b"upper": lambda byte: chr(byte).isupper(),
    b"xdigit": lambda byte: byte in b"0123456789abcdefABCDEF",
}


class TooManyPatternsError(ValueError):
    """An ignore file has more patterns than the limit."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of an ignore file. ``regex`` is None for literal text."""

    number: int
    text: bytes
    is_negative: bool
    is_for_folders: bool
    is_for_names: bool
    """Whether it holds for a file's name in any folder, rather than for a path from the ignore file's folder on."""
    regex: "re.Pattern[bytes] | None"

    def matches(self, path: bytes, name: bytes) -> bool:
        """Whether it matches a path relative to the ignore file's folder; ``name`` is the path's last part."""
        subject = name if self.is_for_names else path
        return subject == self.text if self.regex is None else self.regex.match(subject) is not None


@dataclass(frozen=True)
class Patterns:
    """The patterns of one ignore file, in order."""

    patterns: tuple[Pattern, ...]
    ignores_case: bool = False

    def decide(self, path: str, *, folder: bool) -> bool | None:
        """Return whether the last pattern that matches a path ignores it; None where none matches."""
        raw = path.encode("utf-8", "surrogateescape")
        if self.ignores_case:
            raw = raw.lower()
        name = raw.rpartition(b"/")[2]
        literal = max(self._literal(self._names, name, folder=folder), self._literal(self._paths, raw, folder=folder))
        for pattern in self._wild:
            if pattern.number < literal:
                break
            if (folder or not pattern.is_for_folders) and pattern.matches(raw, name):
                return not pattern.is_negative
        return None if literal < 0 else not self.patterns[literal].is_negative

    def matches(self, path: str) -> bool:
        """Whether a file is ignored, by itself or with a folder around it."""
        parts = path.split("/")
        folders = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
        return any(self.decide(around, folder=True) for around in folders) or bool(self.decide(path, folder=False))

    @staticmethod
    def _literal(known: Mapping[bytes, tuple[int, int]], text: bytes, *, folder: bool) -> int:
        numbers = known.get(text, (-1, -1))
        return max(numbers) if folder else numbers[0]

    @property
    def wild_count(self) -> int:
        """How many patterns have wildcards: each may be tried for a path."""
        return len(self._wild)

    @cached_property
    def _wild(self) -> tuple[Pattern, ...]:
        return tuple(pattern for pattern in reversed(self.patterns) if pattern.regex is not None)

    @cached_property
    def _names(self) -> Mapping[bytes, tuple[int, int]]:
        return _numbers(pattern for pattern in self.patterns if pattern.regex is None and pattern.is_for_names)

    @cached_property
    def _paths(self) -> Mapping[bytes, tuple[int, int]]:
        return _numbers(pattern for pattern in self.patterns if pattern.regex is None and not pattern.is_for_names)


def _numbers(patterns: Iterable[Pattern]) -> Mapping[bytes, tuple[int, int]]:
    """Return by text the number of its last pattern for any path, and of its last one for folders."""
    numbers: dict[bytes, tuple[int, int]] = {}
    for pattern in patterns:
        any_path, folders = numbers.get(pattern.text, (-1, -1))
        last = (any_path, pattern.number) if pattern.is_for_folders else (pattern.number, folders)
        numbers[pattern.text] = last
    return numbers


def patterns_of(source: bytes, *, ignores_case: bool = IS_CASE_INSENSITIVE) -> Patterns:
    """Read the text of an ignore file; lines that match nothing are left out.

    Raises:
        TooManyPatternsError: the file holds more than ``MAX_PATTERNS``.
    """
    patterns: list[Pattern] = []
    lines = source.removeprefix(_BYTE_ORDER_MARK).split(b"\n")
    for number, line in enumerate(lines):
        ended = line.removesuffix(b"\r") if number < len(lines) - 1 else line
        pattern = _pattern(ended, len(patterns), ignores_case=ignores_case)
        if pattern is not None:
            patterns.append(pattern)
        if len(patterns) > MAX_PATTERNS:
            raise TooManyPatternsError(f"more than {MAX_PATTERNS} patterns")
    return Patterns(tuple(patterns), ignores_case)


def _pattern(line: bytes, number: int, *, ignores_case: bool) -> Pattern | None:
    if line.startswith(b"#"):
        return None
    text = _trimmed(line.partition(b"\0")[0])
    is_negative = text.startswith(b"!")
    text = text[is_negative:]
    is_for_folders = text.endswith(b"/")
    text = text[: len(text) - is_for_folders]
    is_for_names = b"/" not in text
    text = text if is_for_names else text.removeprefix(b"/")
    if not text or len(text) > MAX_PATTERN_BYTES:
        return None
    if ignores_case:
        text = text.lower()
    regex = None
    if any(byte in _SPECIAL for byte in text):
        source = _regex(text, is_path=not is_for_names)
        if source is None:
            return None
        regex = re.compile(source, re.DOTALL)
    return Pattern(number, text, is_negative, is_for_folders, is_for_names, regex)


def _trimmed(line: bytes) -> bytes:
    """Remove blanks at the end, except those after a backslash."""
    end, at = None, 0
    while at < len(line):
        if line[at : at + 1] == b" ":
            end = at if end is None else end
        elif line[at : at + 1] == b"\\":
            at += 1
            if at == len(line):
                return line
            end = None
        else:
            end = None
        at += 1
    return line if end is None else line[:end]


# -- translation -----------------------------------------------------------------------------------------------------

_NAME_GAP: Final = b"[^/]*?"  # a star
_ANY_GAP: Final = b".*?"  # two stars, and a star where no slash can be
_FOLDERS_GAP: Final = b"(?:[^/]*/)*?"  # two stars and the slash after them


@dataclass(frozen=True, slots=True)
class _Gap:
    """Where a pattern lets text of any length stand."""

    regex: bytes
    is_wide: bool
    """Whether slashes may stand in it."""


def _regex(text: bytes, *, is_path: bool) -> bytes | None:
    """Translate a pattern; None for one that matches nothing (a class that is not closed, a backslash at the end)."""
    # Git compares the text before the first special byte by itself, so what follows begins a pattern of its own.
    literal = next((at for at, byte in enumerate(text) if byte in _SPECIAL), len(text))
    parts = list(_parts(text[literal:], is_path=is_path))
    if None in parts:
        return None
    blocks: list[tuple[_Gap | None, list[tuple[_Gap | None, bytes]]]] = [(None, [(None, re.escape(text[:literal]))])]
    for part in parts:
        if isinstance(part, bytes):
            gap, chunk = blocks[-1][1][-1]
            blocks[-1][1][-1] = (gap, chunk + part)
        elif part is not None and part.is_wide and is_path:
            blocks.append((part, [(None, b"")]))
        elif part is not None:
            blocks[-1][1].append((part, b""))
    regexes = [_block(gap, chunks, is_last=False) for gap, chunks in blocks[:-1]]
    return b"".join([*regexes, _block(*blocks[-1], is_last=True), rb"\Z"])


def _block(gap: _Gap | None, chunks: Sequence[tuple[_Gap | None, bytes]], *, is_last: bool) -> bytes:
    """Return the regular expression of what stands between two wide gaps, the gap before it included.

    Of a gap and the chunk behind it the first place is as good as any later one: the next gap takes in what is left
    over. Only the last chunk has to end where the path ends.
    """
    last = len(chunks) - 1
    inner = b"".join(
        (inner_gap.regex if inner_gap else b"") + chunk if is_last and number == last else _atomic(inner_gap, chunk)
        for number, (inner_gap, chunk) in enumerate(chunks)
    )
    if gap is None:
        return inner
    return gap.regex + inner if is_last else b"(?>" + gap.regex + inner + b")"


def _atomic(gap: _Gap | None, chunk: bytes) -> bytes:
    return chunk if gap is None else b"(?>" + gap.regex + chunk + b")"


def _parts(text: bytes, *, is_path: bool) -> Iterator[_Gap | bytes | None]:
    """Yield gaps, and the regular expressions of single bytes; None where nothing can match."""
    at = 0
    while at < len(text):
        special = text[at : at + 1]
        if special == b"*":
            end = at
            while text[end : end + 1] == b"*":
                end += 1
            gap, at = _stars(text, at, end, is_path=is_path)
            yield gap
        elif special == b"?":
            yield b"[^/]" if is_path else b"."
            at += 1
        elif special == b"[":
            character_class = _class(text, at + 1)
            if character_class is None:
                yield None
                return
            members, at = character_class
            members -= {ord("/")} if is_path else set()
            yield b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(members)) + b"]" if members else None
        elif special == b"\\":
            yield re.escape(text[at + 1 : at + 2]) if at + 1 < len(text) else None
            at += 2
        else:
            yield re.escape(special)
            at += 1


def _stars(text: bytes, start: int, end: int, *, is_path: bool) -> tuple[_Gap, int]:
    """Return the gap for some stars, and the rest of the pattern."""
    if not is_path:
        return _Gap(_ANY_GAP, is_wide=True), end
    begins = start == 0 or text[start - 1 : start] == b"/"
    if end - start == 1 or not begins or not (text[end : end + 1] in (b"", b"/") or text[end : end + 2] == b"\\/"):
        return _Gap(_NAME_GAP, is_wide=False), end
    if text[end : end + 1] == b"/":
        return _Gap(_FOLDERS_GAP, is_wide=True), end + 1
    return _Gap(_ANY_GAP, is_wide=True), end


def _class(text: bytes, at: int) -> tuple[set[int], int] | None:
    """Read a class of bytes, ``at`` behind its bracket; return its members and where it ends, None if it does not."""
    is_negated = text[at : at + 1] in (b"!", b"^")
    at += is_negated
    first = at
    members: set[int] = set()
    previous: int | None = None
    while at < len(text) and (at == first or text[at] != ord("]")):
        member = _member(text, at, previous)
        if member is None:
            return None
        members |= member.members
        previous, at = member.last, member.end
    if at >= len(text):
        return None
    return (set(range(256)) - members if is_negated else members), at + 1


@dataclass(frozen=True, slots=True)
class _Member:
    """Bytes that one part of a class stands for; ``last`` is where a range may begin."""

    members: set[int]
    last: int | None
    end: int


def _member(text: bytes, at: int, previous: int | None) -> _Member | None:
    """Read one part of a class; None for one that is not finished, or unknown."""
    if text[at] == ord("\\"):
        return _Member({text[at + 1]}, text[at + 1], at + 2) if at + 1 < len(text) else None
    if text[at] == ord("-") and previous and at + 1 < len(text) and text[at + 1] != ord("]"):
        end = at + 1 + (text[at + 1] == ord("\\"))
        return _Member(set(range(previous, text[end] + 1)), None, end + 1) if end < len(text) else None
    if text[at : at + 2] == b"[:":
        close = text.find(b"]", at + 2)
        if close > at + 2 and text[close - 1] == ord(":"):
            holds = _CLASSES.get(text[at + 2 : close - 1])
            return _Member({byte for byte in range(128) if holds(byte)}, None, close + 1) if holds else None
        return _Member({ord("[")}, ord("["), at + 1) if close > 0 else None
    return _Member({text[at]}, text[at], at + 1)
