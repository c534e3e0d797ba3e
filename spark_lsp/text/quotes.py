"""Quoted text by language: what opens a string, what is only an apostrophe, and which lines are inside a string.

Pure, and made for text that does not parse yet: it reads from left to right, so a longer text never changes what is
said of its beginning.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

_DOUBLE = r'"(?:\\.|[^"\\\n])*"'
_SINGLE = r"'(?:\\.|[^'\\\n])*'"
_BACKTICK = r"`(?:\\.|[^`\\\n])*`"
_CHARACTER = r"'(?:\\u\{[0-9A-Fa-f_]*\}|\\.|[^'\\\n])'"
"""A literal of one character, in languages where an apostrophe has other uses too."""

LISPS: Final = frozenset({"lisp", "commonlisp", "emacs-lisp", "elisp", "clojure", "scheme", "racket", "fennel"})


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """How a language quotes within a line: ``closed`` matches a whole literal, ``opener`` where one opens."""

    closed: re.Pattern[str]
    opener: re.Pattern[str]

    def blanked(self, text: str) -> str:
        """Return a text of the same length with blanks in place of what is quoted."""
        return self.closed.sub(lambda quoted: " " * len(quoted[0]), text)


def _quotes(closed: str, opener: str) -> Quotes:
    return Quotes(re.compile(closed), re.compile(opener))


ANY_QUOTES: Final = _quotes(f"{_DOUBLE}|{_SINGLE}|{_BACKTICK}", "[\"'`]")
"""For languages that quote with all three, and for those that nobody here knows."""
_NO_APOSTROPHE: Final = _quotes(f"{_DOUBLE}|{_BACKTICK}", '["`]')
_LIFETIMES: Final = _quotes(rf'r(#*)".*?"\1|{_DOUBLE}|{_CHARACTER}', r"""["]|'(?!\w)|'(?=\w')""")
_SEPARATORS: Final = _quotes(
    rf"(?<![\w'])\d(?:'?[\w.])*|{_DOUBLE}|{_SINGLE}", r"""["]|(?<![0-9A-Fa-f])'|(?<=u8)'|'(?![0-9A-Fa-f])"""
)
_SYMBOLS: Final = _quotes(f"{_DOUBLE}|{_CHARACTER}|{_BACKTICK}", r"""["`]|'(?![\w{\[])|'(?=\w')""")
_BY_LANGUAGE: Final = {
    "rust": _LIFETIMES,  # 'a is a lifetime or a label
    "c": _SEPARATORS,  # 1'000 is a number
    "cpp": _SEPARATORS,
    "scala": _SYMBOLS,  # 'name is a symbol, '{ a quoted block
    "swift": _NO_APOSTROPHE,
    **dict.fromkeys(LISPS, _NO_APOSTROPHE),
}


def quotes_of(language: str) -> Quotes:
    """Return how a language quotes, by its name or an editor's language id."""
    return _BY_LANGUAGE.get(language, ANY_QUOTES)


# -- strings of several lines ------------------------------------------------------------------------------------------

Closer = re.Pattern[str]
_Rule = tuple[str, Callable[[re.Match[str]], str]]
"""What opens a string of several lines, and the pattern that closes it."""

_TO_QUOTE: Final = r'(?<!\\)(?:\\\\)*"'
_TO_APOSTROPHE: Final = r"(?<!\\)(?:\\\\)*'"
_TRIPLE: Final[_Rule] = (r'"""', lambda _found: r'(?<!\\)(?:\\\\)*"""')
_TEMPLATE: Final[_Rule] = ("`", lambda _found: r"(?<!\\)(?:\\\\)*`")
_LONG_QUOTE: Final[_Rule] = ('"', lambda _found: _TO_QUOTE)
_LONG_APOSTROPHE: Final[_Rule] = ("'", lambda _found: _TO_APOSTROPHE)


def _heredoc(opener: str) -> _Rule:
    """Return the rule of a text between a word and a line that begins with it; the rest of the first line is code."""
    return opener, lambda match: rf"(?m:^[ \t]*{re.escape(match['word'])}\b)"


_SLASHES: Final = r"//[^\n]*|/\*(?s:.)*?(?:\*/|\Z)"
_HASH: Final = r"(?<!\S)#[^\n]*"
_RULES: Final[dict[str, tuple[str, tuple[_Rule, ...]]]] = {
    "python": (r"#[^\n]*", (_TRIPLE, (r"'''", lambda _found: r"(?<!\\)(?:\\\\)*'''"))),
    "javascript": (_SLASHES, (_TEMPLATE,)),
    "typescript": (_SLASHES, (_TEMPLATE,)),
    "tsx": (_SLASHES, (_TEMPLATE,)),
    "go": (_SLASHES, (("`", lambda _found: "`"),)),
    "rust": (_SLASHES, ((r'r(?P<word>#*)"', lambda match: f'"{match["word"]}'), _LONG_QUOTE)),
    "java": (_SLASHES, (_TRIPLE,)),
    "kotlin": (_SLASHES, ((r'"""', lambda _found: r'"""+'),)),
    "scala": (_SLASHES, ((r'"""', lambda _found: r'"""+'),)),
    "swift": (_SLASHES, ((r'(?P<word>#*)"""', lambda match: f'"""{match["word"]}'),)),
    "csharp": (
        _SLASHES,
        (
            (r'(?P<word>"{3,})', lambda match: match["word"]),
            (r'(?:@\$?|\$@)"', lambda _found: r'(?<!")(?:"")*"(?!")'),
        ),
    ),
    "c": (_SLASHES, ()),
    "cpp": (_SLASHES, ((r'R"(?P<word>[^()\\\s]{0,16})\(', lambda match: rf'\){re.escape(match["word"])}"'),)),
    "ruby": (r"#(?!\{)[^\n]*", (_heredoc(r"<<[~-]?[\"'`]?(?P<word>[A-Z_]\w*)"), _LONG_QUOTE, _LONG_APOSTROPHE)),
    "php": (
        rf"{_SLASHES}|{_HASH}",
        (_heredoc(r"<<<[ \t]*[\"']?(?P<word>[A-Za-z_]\w*)"), _LONG_QUOTE, _LONG_APOSTROPHE),
    ),
    "lua": (
        r"--\[(?P<level>=*)\[(?s:.)*?(?:\](?P=level)\]|\Z)|--[^\n]*",
        ((r"\[(?P<word>=*)\[", lambda match: rf"\]{match['word']}\]"),),
    ),
    "bash": (_HASH, (_heredoc(r"<<-?[ \t]*[\"']?(?P<word>[A-Za-z_]\w*)"), _LONG_QUOTE, _LONG_APOSTROPHE)),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Scanner:
    skipped: re.Pattern[str]
    """Comments, and literals within a line."""
    rules: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]


_MAY_BEGIN: Final = re.compile("[\"'`/#\\[<@$rR0-9-]")
"""The characters with which a comment or a literal may begin."""


@cache
def _scanner(language: str) -> _Scanner | None:
    if language not in _RULES:
        return None
    comments, rules = _RULES[language]
    skipped = re.compile(f"{comments}|{quotes_of(language).closed.pattern}")
    return _Scanner(skipped, tuple((re.compile(opener), closer) for opener, closer in rules))


def closer_at(language: str, text: str, at: int) -> Closer | None:
    """Return what closes the string of several lines that opens at an offset; None where none opens."""
    scanner = _scanner(language)
    for opener, pattern in scanner.rules if scanner else ():
        opened = opener.match(text, at)
        if opened:
            return re.compile(pattern(opened))
    return None


NEVER: Final = re.compile(r"(?!)")
"""Closes nothing: for a string whose end is not known."""


def lines_in_string(language: str, text: str, inside: Closer | None = None) -> list[bool]:
    """Return for each line whether its beginning is in a string; ``inside`` closes the one that the text begins in."""
    spans = _scan(language, text, inside)
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    return [any(start <= at < end for start, end in spans) for at in starts]


def _scan(language: str, text: str, inside: Closer | None) -> list[tuple[int, int]]:
    scanner = _scanner(language)
    if scanner is None:
        return [(0, len(text) + 1)] if inside else []
    spans: list[tuple[int, int]] = []
    closer, at, begun = inside, 0, 0
    while True:
        if closer is not None:
            end = closer.search(text, at)
            spans.append((begun, end.end() if end else len(text) + 1))
            if end is None:
                return spans
            closer, at = None, max(at, end.end())
        match = _MAY_BEGIN.search(text, at)
        if match is None:
            return spans
        at = match.start()
        for opener, pattern in scanner.rules:
            opened = opener.match(text, at)
            if opened and not _is_closed_on_its_line(scanner, opened, text):
                closer = re.compile(pattern(opened))
                is_heredoc = "^" in closer.pattern
                end_of_line = text.find("\n", opened.end()) if is_heredoc else opened.end()
                if end_of_line < 0:
                    return spans
                at = begun = end_of_line
                break
        else:
            skipped = scanner.skipped.match(text, at)
            at = skipped.end() if skipped and skipped.end() > at else at + 1


def _is_closed_on_its_line(scanner: _Scanner, opened: re.Match[str], text: str) -> bool:
    """Whether a plain quote is one of a literal within a line."""
    if opened[0] not in {'"', "'"}:
        return False
    return scanner.skipped.match(text, opened.start()) is not None
