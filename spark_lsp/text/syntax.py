"""The syntax tree of a text, by tree-sitter: parsed once, then updated edit by edit. Offsets in and out.

Parsing 30,000 characters takes 5 ms, an edit a few tenths of one. A text of no known language has no ``Syntax``;
callers then work by lines.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import AnyStr, Literal

import numpy as np
import numpy.typing as npt
import tree_sitter

from spark_lsp.text.edit import Span
from spark_lsp.text.language import Language, grammar, query

Region = Literal["code", "comment", "string"]

PARSE_LIMIT_BYTES = 2_000_000  # a larger text would hold up the event loop for longer than a keystroke may

_READ_BYTES = 2048
_SCRIPTS = frozenset({"javascript", "typescript", "tsx"})
_OPERAND_WORDS = frozenset({b"new", b"await", b"typeof", b"instanceof", b"delete", b"void"})
"""Words of JavaScript that need an operand and are no names."""
_OPERATORS = frozenset(
    ("=", "+", "-", "*", "/", "%", "|", "&", "^", "<", ">", "==", "!=", "<=", ">=", ".", "->", "=>", "&&", "||", "+=",
     "-=", ":=", "::", "!", "~", "**", "//", "<<", ">>", "?.", "??", "*=", "/=", "|=", "&=", "===", "!==", "@", "<-")
)  # fmt: skip

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
    """The syntax tree of one text. Built by ``parse``; immutable: an edit makes a new one."""

    language: Language
    text: str
    source: bytes
    """The text as the tree's bytes count it."""
    tree: tree_sitter.Tree

    @cached_property
    def bytes_map(self) -> _ByteMap:
        """Offsets to bytes and back."""
        return _ByteMap(self.text)

    @cached_property
    def error_count(self) -> int:
        """How many ERROR and MISSING nodes the tree holds; 0 for a text that parses."""
        stack, count = [self.tree.root_node], 0
        while stack:
            node = stack.pop()
            count += node.is_error or node.is_missing
            stack.extend(child for child in node.children if child.has_error)
        return count

    def edited(self, span: Span, new_text: str) -> "Syntax":
        """Return the syntax after an edit, at the cost of what the edit changes.

        Where the text has errors, tree-sitter may recover otherwise than ``parse`` does.
        """
        start, old_end = self.to_byte(span.start), self.to_byte(span.end)
        source = self.source[:start] + _encoded(new_text) + self.source[old_end:]
        text = self.text[: span.start] + new_text + self.text[span.end :]
        return self._updated(text, source, start, old_end)

    def _updated(self, text: str, source: bytes, start: int, old_end: int) -> "Syntax":
        """Return the syntax of a text whose bytes differ from ``start`` on, and are the same again at ``old_end``."""
        new_end = old_end + len(source) - len(self.source)
        tree = self.tree.copy()
        tree.edit(
            start,
            old_end,
            new_end,
            _point(self.source, start),
            _point(self.source, old_end),
            _point(source, new_end),
        )
        return Syntax(self.language, text, source, _parser(self.language).parse(source, tree))

    def to_byte(self, offset: int) -> int:
        """Return the byte of an offset; cheaper than ``bytes_map`` for a few of them."""
        return offset if len(self.source) == len(self.text) else len(_encoded(self.text[:offset]))

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
        for raw in reversed(path_to(self.tree.root_node, self.node_at(offset).raw)):
            yield self.wrap(raw)

    def region_at(self, offset: int) -> Region:
        """Tell whether text typed at the offset lands in code, a comment or a string."""
        asked = query(self.language, "comments")
        if asked is None:
            return "code"
        byte = self.bytes_map.to_bytes(offset)
        cursor = tree_sitter.QueryCursor(asked)
        cursor.set_byte_range(max(0, byte - 1), byte + 1)
        nearest: tuple[int, Region] = (
            len(self.source) + 1,
            "code",
        )  # the smallest of the nodes around the offset counts
        for kind, nodes in cursor.captures(self.tree.root_node).items():
            for node in nodes:
                size = node.end_byte - node.start_byte
                if node.start_byte < byte < node.end_byte + self._reaches_on(kind, node) and size < nearest[0]:
                    nearest = (size, "comment" if kind == "comment" else "string" if kind == "string" else "code")
        return nearest[1]

    def _reaches_on(self, kind: str, node: tree_sitter.Node) -> bool:
        """Whether text typed at the end of a node still belongs to it: so it is with line comments alone."""
        begin = self.source[node.start_byte : node.start_byte + 2]
        return kind == "comment" and begin.decode("ascii", "replace").startswith((self.language.line_comment, "#"))

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
        """Whether the text ends at an offset in half of something: an operator or a keyword that lacks its operand."""
        byte = self.to_byte(offset)
        node = self.tree.root_node.descendant_for_byte_range(byte - 1, byte)
        if (
            node is not None
            and node.type == "identifier"
            and self.language.name in _SCRIPTS
            and node.text in _OPERAND_WORDS
        ):
            return True  # a grammar that repairs takes ``value = new`` for a name
        if node is None or node.is_named or not (node.type.isalpha() or node.type in _OPERATORS):
            return False
        for around in reversed(path_to(self.tree.root_node, node)):
            if around.end_byte != byte:
                break
            if around.is_named and not around.has_error:
                return False  # ``pass`` and ``return`` stand for themselves
        return True

    def outermost_from(self, offset: int) -> tree_sitter.Node | None:
        """Return the largest node that begins at an offset, the root aside."""
        byte = self.to_byte(offset)
        node = self.tree.root_node.descendant_for_byte_range(byte, byte + 1)
        if node is None or node.start_byte != byte:
            return None
        path = path_to(self.tree.root_node, node)[1:]
        return next((around for around in path if around.start_byte == byte), None)

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


def path_to(root: tree_sitter.Node, node: tree_sitter.Node) -> list[tree_sitter.Node]:
    """Return the nodes from the root to a node of its tree, both included.

    ``Node.parent`` searches from the root each time: a loop over it takes the square of the depth.
    """
    path = [root]
    while path[-1] != node and (child := path[-1].child_with_descendant(node)) is not None:
        path.append(child)
    return path


def parse(language: Language | None, text: str) -> Syntax | None:
    """Parse a text; None for a language without grammar or a text over ``PARSE_LIMIT_BYTES``."""
    if language is None or len(text) > PARSE_LIMIT_BYTES:
        return None
    source = _encoded(text)
    return Syntax(language, text, source, _parser(language).parse(source))


def parse_in_steps(language: Language, text: str) -> Syntax:
    """Parse a text in a thread of its own, in small steps between which other threads run.

    The parser keeps Python's lock while it parses a text that it is given whole: 20 ms for 50,000 characters.
    """
    source = _encoded(text)

    def read(byte: int, _point: tree_sitter.Point) -> bytes:
        return source[byte : byte + _READ_BYTES]

    def progress(_byte: int, _has_error: bool) -> bool:
        time.sleep(0)  # lets another thread have the lock
        return False  # go on

    return Syntax(language, text, source, tree_sitter.Parser(grammar(language)).parse(read, progress_callback=progress))


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
    if text == previous.text:
        return previous
    before, after = previous.source, _encoded(text)
    start = common_length(before, after)
    rest = min(len(before), len(after)) - start
    end = common_length(before[::-1][:rest], after[::-1][:rest])
    return previous._updated(text, after, start, len(before) - end)  # noqa: SLF001 - its own module


def common_length(first: AnyStr, second: AnyStr) -> int:
    """Return the length of the common beginning, by halving: comparing slices is faster than a loop."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _point(source: bytes, at: int) -> tree_sitter.Point:
    return tree_sitter.Point(source.count(b"\n", 0, at), at - source.rfind(b"\n", 0, at) - 1)
