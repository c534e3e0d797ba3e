"""The tree of a text that is being edited: parsed once, then brought up to date edit by edit.

For questions at each key: parsing 30,000 characters takes 5 ms, taking in an edit a few tenths. Offsets in and out.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import tree_sitter

from spark_lsp.text.edit import Span
from spark_lsp.text.language import Language, grammar

_READ_BYTES = 2048
_OPERATORS = frozenset(
    ("=", "+", "-", "*", "/", "%", "|", "&", "^", "<", ">", "==", "!=", "<=", ">=", ".", "->", "=>", "&&", "||", "+=",
     "-=", ":=", "::", "!", "~", "**", "//", "<<", ">>", "?.", "??", "*=", "/=", "|=", "&=", "===", "!==", "@", "<-")
)  # fmt: skip


@dataclass(frozen=True)
class Tree:
    """A text with its tree. Immutable: an edit makes a new one."""

    language: Language
    text: str
    source: bytes
    tree: tree_sitter.Tree

    def edited(self, span: Span, new_text: str) -> "Tree":
        """Return the tree after an edit, at the cost of what the edit changes."""
        start = self.to_byte(span.start)
        old_end = start + len(_bytes(span.text(self.text)))
        new = _bytes(new_text)
        source = self.source[:start] + new + self.source[old_end:]
        new_end = start + len(new)
        tree = self.tree.copy()
        tree.edit(
            start_byte=start,
            old_end_byte=old_end,
            new_end_byte=new_end,
            start_point=_point(self.source, start),
            old_end_point=_point(self.source, old_end),
            new_end_point=_point(source, new_end),
        )
        text = self.text[: span.start] + new_text + self.text[span.end :]
        return Tree(self.language, text, source, tree_sitter.Parser(grammar(self.language)).parse(source, tree))

    @cached_property
    def error_count(self) -> int:
        """How many ERROR and MISSING nodes there are; 0 for a text that parses."""
        stack, found = [self.tree.root_node], 0
        while stack:
            node = stack.pop()
            found += node.is_error or node.is_missing
            stack.extend(child for child in node.children if child.has_error)
        return found

    def to_byte(self, offset: int) -> int:
        """Return the byte of an offset."""
        return offset if len(self.source) == len(self.text) else len(_bytes(self.text[:offset]))

    def nodes_within(self, span: Span) -> Iterator[tree_sitter.Node]:
        """Yield the leaves within a span, in order."""
        start, end = self.to_byte(span.start), self.to_byte(span.end)
        stack = [self.tree.root_node]
        while stack:
            node = stack.pop()
            if node.end_byte <= start or node.start_byte >= end:
                continue
            if node.child_count:
                stack.extend(reversed(node.children))
            elif node.start_byte >= start and node.end_byte <= end:
                yield node

    def dangles_at(self, offset: int) -> bool:
        """Whether what ends at an offset is half of something: an operator or a keyword that lacks what it is for."""
        byte = self.to_byte(offset)
        node = self.tree.root_node.descendant_for_byte_range(byte - 1, byte)
        if node is None or node.is_named or not (node.type.isalpha() or node.type in _OPERATORS):
            return False
        while node is not None and node.end_byte == byte:
            if node.is_named and not node.has_error:
                return False  # ``pass`` and ``return`` stand for themselves
            node = node.parent
        return True

    def outermost_from(self, offset: int) -> tree_sitter.Node | None:
        """Return the largest node that begins at an offset, the root aside."""
        byte = self.to_byte(offset)
        node = self.tree.root_node.descendant_for_byte_range(byte, byte + 1)
        if node is None or node.start_byte != byte:
            return None
        while node.parent is not None and node.parent.parent is not None and node.parent.start_byte == byte:
            node = node.parent
        return node if node.parent is not None else None


def plant(language: Language, text: str) -> Tree:
    """Parse a text."""
    source = _bytes(text)
    return Tree(language, text, source, tree_sitter.Parser(grammar(language)).parse(source))


def plant_in_thread(language: Language, text: str) -> Tree:
    """Parse a text in a thread of its own, in small steps between which other threads run.

    The parser keeps Python's lock from a text that it is given whole: 20 ms for 50,000 characters.
    """
    source = _bytes(text)

    def read(byte: int, _point: tree_sitter.Point) -> bytes:
        return source[byte : byte + _READ_BYTES]

    def progress(_byte: int, _has_error: bool) -> bool:
        time.sleep(0)  # lets another thread have the lock
        return False  # go on

    return Tree(language, text, source, tree_sitter.Parser(grammar(language)).parse(read, progress_callback=progress))


def regrown(old: Tree, text: str) -> Tree:
    """Return the tree of a text that grew out of an older one by one edit."""
    if old.text == text:
        return old
    start = common_beginning(old.text, text)
    tail = common_beginning(old.text[start:][::-1], text[start:][::-1])
    return old.edited(Span(start, len(old.text) - tail), text[start : len(text) - tail])


def common_beginning(one: str, other: str) -> int:
    """Return the length of the common beginning, by halving: comparing slices is faster than a loop."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _point(source: bytes, at: int) -> tuple[int, int]:
    return source.count(b"\n", 0, at), at - source.rfind(b"\n", 0, at) - 1
