"""Patterns of syntax trees with holes: what two trees have in common, where it matches, and how it is filled in. Pure.

White space between the leaves counts for nothing; a hole stands for one node.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tree_sitter import Node

MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class TreePattern:
    """A node of a pattern: a leaf with its ``text``, a node with ``children``, or a ``hole``.

    ``kinds`` are the kinds of the nodes that a hole was seen for; with two of them it takes any named node.
    ``start`` and ``end`` are the bytes of the first example's node.
    """

    kind: str
    start: int
    end: int
    text: bytes = b""
    children: tuple["TreePattern", ...] = ()
    hole: tuple[bytes, bytes] | None = None
    kinds: frozenset[str] = frozenset()

    def leaves(self) -> Iterator["TreePattern"]:
        """Yield leaves and holes in order."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    @property
    def holes(self) -> frozenset[tuple[bytes, bytes]]:
        """The holes, each by its two texts."""
        return frozenset(leaf.hole for leaf in self.leaves() if leaf.hole is not None)


def common(first: Node, second: Node, depth: int = 0) -> TreePattern:
    """Return what two nodes have in common, with holes where they differ."""
    start, end = first.byte_range
    first_children, second_children = children_of(first), children_of(second)
    is_alike = first.type == second.type and len(first_children) == len(second_children)
    if is_alike and not first_children and first.text == second.text:
        return TreePattern(first.type, start, end, text=first.text or b"")
    if not is_alike or not first_children or depth == MAX_DEPTH:
        texts, kinds = (first.text or b"", second.text or b""), frozenset((first.type, second.type))
        return TreePattern(first.type, start, end, hole=texts, kinds=kinds)
    children = tuple(common(*pair, depth + 1) for pair in zip(first_children, second_children, strict=True))
    return TreePattern(first.type, start, end, children=children)


def matched(pattern: TreePattern, node: Node) -> Mapping[tuple[bytes, bytes], bytes] | None:
    """Return what the holes stand for at a node; None where the pattern does not match."""
    bound: dict[tuple[bytes, bytes], bytes] = {}
    return bound if _matches(pattern, node, bound) else None


def filled(pattern: TreePattern, source: bytes, bound: Mapping[tuple[bytes, bytes], bytes]) -> bytes:
    """Return the text of the pattern's first example with other nodes in its holes; ``source`` is its file."""
    pieces, at = [], pattern.start
    for leaf in pattern.leaves():
        if leaf.hole is not None:
            pieces += [source[at : leaf.start], bound[leaf.hole]]
            at = leaf.end
    return b"".join([*pieces, source[at : pattern.end]])


def _matches(pattern: TreePattern, node: Node, bound: dict[tuple[bytes, bytes], bytes]) -> bool:
    if pattern.hole is not None:
        is_kind = node.is_named if len(pattern.kinds) > 1 else node.type in pattern.kinds
        text = node.text or b""
        return is_kind and not node.has_error and bound.setdefault(pattern.hole, text) == text
    if pattern.kind != node.type:
        return False
    children = children_of(node)
    if not pattern.children:
        return not children and node.text == pattern.text
    return len(children) == len(pattern.children) and all(
        _matches(part, child, bound) for part, child in zip(pattern.children, children, strict=True)
    )


def children_of(node: Node) -> list[Node]:
    """Return the children of a node; none where text of its own stands between them, as in some strings."""
    children = node.children
    text, at = node.text or b"", node.start_byte
    for child in children:
        if text[at - node.start_byte : child.start_byte - node.start_byte].strip():
            return []
        at = child.end_byte
    return [] if text[at - node.start_byte :].strip() else children
