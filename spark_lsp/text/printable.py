r"""Spells out what may control a terminal or reorder a line: no file name and no model's text may do either.

Escape sequences, bidirectional marks and parts of broken characters become ``\x1b`` or ``\u202e``.
"""

import unicodedata
from typing import Final

_KEPT: Final = frozenset("\n\t")
_ESCAPED: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Controls, halves of surrogate pairs, and separators that some terminals take for line ends."""
_REORDERING: Final = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_MARKS: Final = frozenset("\u061c\u200e\u200f")


def printable(text: str) -> str:
    """Return a text with control and bidirectional characters spelled out; line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(char) if is_control(char) else char for char in text.replace("\r\n", "\n"))


def is_control(char: str) -> bool:
    """Whether a character may move a cursor, reorder a line or break an encoder."""
    if char in _KEPT or (char.isprintable() and char.isascii()):
        return False
    return unicodedata.category(char) in _ESCAPED or unicodedata.bidirectional(char) in _REORDERING or char in _MARKS


def _spelled(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
