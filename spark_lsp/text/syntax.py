"""Questions about the syntax of a text, answered by tree-sitter. Offsets in and out; bytes never leave this module.

A text of no known language has no ``Syntax``; callers then work by lines.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import tree_sitter

from spark_lsp.text.edit import Span
from spark_lsp.text.language import Language, grammar, query

Region = Literal["code", "comment", "string"]

PARSE_LIMIT_BYTES = 2_000_000  # a larger text would hold up the event loop for longer than a keystroke may

_parsers = threading.local()


class _ByteMap:
    """Code-point offsets to UTF-8 byte offsets and back; the identity for ASCII text."""

    def __init__(self, text: str) -> None:
        self._starts: npt.NDArray[np.int64] | None = None
        if text.isascii():
            return
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        widths = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
        widths[(points >= 0xD800) & (points < 0xE000)] = 1  # parse() encodes a lone surrogate as "?"
        self._starts = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(widths)))

    def to_bytes(self, offset: int) -> int:
        return offset if self._starts is None else int(self._starts[offset])

    def to_offset(self, byte: int) -> int:
        return byte if self._starts is None else int(np.searchsorted(self._starts, byte, side="right")) - 1

    def to_offsets(self, places: Sequence[int]) -> Sequence[int]:
        """Do so with many bytes, in the time that two take one by one."""
        if self._starts is None:
            return places
        return (np.searchsorted(self._starts, places, side="right") - 1).tolist()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Node:
    """A syntax node with its span in code points. ``raw`` is tree-sitter's own node, for walks within this package."""

    kind: str
    span: Span
    raw: tree_sitter.Node


@dataclass(frozen=True)
class Syntax:
    """The syntax tree of one text. Built by ``parse``; immutable."""

    language: Language
    text: str
    source: bytes
    """The text as the tree's bytes count it."""
    tree: tree_sitter.Tree
    bytes_map: _ByteMap

    @cached_property
    def error_count(self) -> int:
        """How many ERROR and MISSING nodes the tree holds; 0 for a text that parses."""
        if not self.tree.root_node.has_error:
            return 0
        return sum(1 for node in _walk(self.tree.root_node) if node.is_error or node.is_missing)

    def wrap(self, raw: tree_sitter.Node) -> Node:
        """Give a tree-sitter node its span in code points."""
        start = self.bytes_map.to_offset(raw.start_byte)
        return Node(raw.type, Span(start, max(start, self.bytes_map.to_offset(raw.end_byte))), raw)

    def node_at(self, offset: int) -> Node:
        """Return the smallest node around an offset."""
        byte = self.bytes_map.to_bytes(offset)
        return self.wrap(self.tree.root_node.descendant_for_byte_range(byte, byte) or self.tree.root_node)

    def ancestors_at(self, offset: int) -> Iterator[Node]:
        """Yield the nodes around an offset from the smallest to the root."""
        raw: tree_sitter.Node | None = self.node_at(offset).raw
        while raw is not None:
            yield self.wrap(raw)
            raw = raw.parent

    def region_at(self, offset: int) -> Region:
        """Tell whether text typed at the offset lands in code, a comment or a string."""
        asked = query(self.language, "comments")
        if asked is None:
            return "code"
        byte = self.bytes_map.to_bytes(offset)
        cursor = tree_sitter.QueryCursor(asked)
        cursor.set_byte_range(max(0, byte - 1), byte + 1)
        found: tuple[int, Region] = (len(self.source) + 1, "code")  # the smallest of the nodes around the offset counts
        for kind, nodes in cursor.captures(self.tree.root_node).items():
            for node in nodes:
                size = node.end_byte - node.start_byte
                if node.start_byte < byte < node.end_byte + self._reaches_on(kind, node) and size < found[0]:
                    found = (size, "comment" if kind == "comment" else "string" if kind == "string" else "code")
        return found[1]

    def _reaches_on(self, kind: str, node: tree_sitter.Node) -> bool:
        """Whether text typed at the end of a node still belongs to it: so it is with line comments alone."""
        begin = self.source[node.start_byte : node.start_byte + 2]
        return kind == "comment" and begin.decode("ascii", "replace").startswith((self.language.line_comment, "#"))

    def matches(self, asked: tree_sitter.Query) -> list[tuple[int, dict[str, list[tree_sitter.Node]]]]:
        """Run a query over the whole tree; for each match the number of its pattern and its captures."""
        return tree_sitter.QueryCursor(asked).matches(self.tree.root_node)

    def code_only(self, matches: Iterable[tuple[int, Mapping[str, Sequence[tree_sitter.Node]]]]) -> bytes:
        """Return the source with comments and strings blanked, which matches of the section ``comments`` tell."""
        spans = [
            (node.start_byte, -node.end_byte, kind)
            for _, captures in matches
            for kind, nodes in captures.items()
            for node in nodes
        ]
        code = bytearray(self.source)
        for start, end, kind in sorted(spans):  # what stands within a string comes after it
            code[start:-end] = self.source[start:-end] if kind == "code" else b" " * (-end - start)
        return bytes(code)

    def count_texts(self, asked: tree_sitter.Query, capture: str) -> Counter[str]:
        """Count the texts of all nodes that a query captures under one name, without a value for each of them."""
        raws = tree_sitter.QueryCursor(asked).captures(self.tree.root_node).get(capture, [])
        if self.text.isascii():
            return Counter([self.text[raw.start_byte : raw.end_byte] for raw in raws])
        return Counter([raw.text.decode("utf-8", "replace") for raw in raws if raw.text is not None])


def parse(language: Language | None, text: str) -> Syntax | None:
    """Parse a text; None for a language without grammar or a text over ``PARSE_LIMIT_BYTES``."""
    if language is None or len(text) > PARSE_LIMIT_BYTES:
        return None
    source = text.encode("utf-8", "replace")
    return Syntax(language, text, source, _parser(language).parse(source), _ByteMap(text))


def _parser(language: Language) -> tree_sitter.Parser:
    """Return this thread's parser of a language: making one takes as long as parsing a short file."""
    known: dict[str, tree_sitter.Parser] = _parsers.__dict__
    if language.name not in known:
        known[language.name] = tree_sitter.Parser(grammar(language))
    return known[language.name]


def reparse(previous: Syntax, text: str) -> Syntax | None:
    """Parse a later version of a text, in the time that its change takes; the tree is right where the text is.

    Where the text has errors, tree-sitter may recover otherwise than ``parse`` does.
    """
    if len(text) > PARSE_LIMIT_BYTES:
        return None
    before, after = previous.source, text.encode("utf-8", "replace")
    start = _same_length(before, after)
    rest = min(len(before), len(after)) - start
    end = _same_length(before[::-1][:rest], after[::-1][:rest])
    tree = previous.tree.copy()
    tree.edit(
        start,
        len(before) - end,
        len(after) - end,
        _point(before, start),
        _point(before, len(before) - end),
        _point(after, len(after) - end),
    )
    return Syntax(previous.language, text, after, _parser(previous.language).parse(after, tree), _ByteMap(text))


def _same_length(one: bytes, other: bytes) -> int:
    """Return how long the beginning is that two texts share, by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _point(source: bytes, at: int) -> tree_sitter.Point:
    return tree_sitter.Point(source.count(b"\n", 0, at), at - source.rfind(b"\n", 0, at) - 1)


def _walk(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """Yield every node, without recursion: real files nest deeper than Python's stack."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(node.children)
