"""The rule behind two changes of one shape: a pattern of what goes, one of what comes, and where it applies. Pure.

A rule that says little by itself, such as ``? = 1`` to ``? = 2``, holds only for the neighbours of its examples.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product, takewhile
from typing import Final

from tree_sitter import Node, Query, QueryCursor, QueryError

from spark_lsp.edits.repeat_example import ChangeExample, NodePair
from spark_lsp.edits.tree_pattern import TreePattern, common, filled, matched
from spark_lsp.text.language import grammar
from spark_lsp.text.syntax import Syntax

MIN_EQUAL_CHARACTERS: Final = 12
"""Of a rule without holes: shorter texts are equal by chance."""
MIN_LETTERS: Final = 3
"""Of a word that makes a rule say something by itself."""
MAX_SITES: Final = 64
_WORD: Final = re.compile(rb"[^\W\d]\w*")
_COMMON: Final = frozenset(
    (b"self", b"this", b"None", b"null", b"nil", b"true", b"false", b"True", b"False", b"return", b"let", b"const",
     b"var", b"int", b"str", b"string", b"def", b"function", b"func", b"void", b"new", b"for", b"and", b"not")
)  # fmt: skip
"""Words that stand everywhere."""

Bound = Mapping[tuple[bytes, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Rule:
    """``before`` becomes ``after``; ``level`` is the newest example, ``neighbour`` the other, ``source`` the text."""

    before: TreePattern
    after: TreePattern
    level: NodePair
    neighbour: NodePair
    source: bytes

    @property
    def says_something(self) -> bool:
        """Whether the pattern holds a word that seldom stands elsewhere."""
        words = (leaf.text for leaf in self.before.leaves() if leaf.hole is None)
        return any(len(word) >= MIN_LETTERS and word not in _COMMON for text in words for word in _WORD.findall(text))

    @property
    def renamed(self) -> tuple[bytes, bytes] | None:
        """The word that becomes another one, where the rule does nothing else."""
        old, new = list(self.before.leaves()), list(self.after.leaves())
        if len(old) != len(new):
            return None
        changes = {
            (old_leaf.text, new_leaf.text)
            for old_leaf, new_leaf in zip(old, new, strict=True)
            if (old_leaf.hole, old_leaf.text) != (new_leaf.hole, new_leaf.text)
        }
        words = changes.pop() if len(changes) == 1 else (b"", b"")
        return words if all(_WORD.fullmatch(word) for word in words) else None


@dataclass(frozen=True, slots=True)
class Site:
    """A node that a rule applies to, and what it becomes."""

    node: Node
    new_text: bytes


def rule_of(newest: ChangeExample, earlier: ChangeExample, syntax: Syntax) -> Rule | None:
    """Return the rule that two changes have in common, with as little around the change as tells it."""
    pairs = list(product(enumerate(newest.levels), enumerate(earlier.levels)))
    for (_, own), (_, second) in sorted(pairs, key=lambda pair: pair[0][0] + pair[1][0]):
        if own.before.type != second.before.type or own.after.type != second.after.type:
            continue
        before, after = common(own.before, second.before), common(own.after, second.after)
        rule = Rule(before, after, own, second, syntax.source)
        if before.hole is None and after.hole is None and after.holes <= before.holes and _is_sure(rule):
            return rule
    return None


def _is_sure(rule: Rule) -> bool:
    """Whether a rule may be followed anywhere, or its examples are neighbours."""
    if not rule.before.holes and len(b"".join(leaf.text for leaf in rule.before.leaves())) < MIN_EQUAL_CHARACTERS:
        return False
    return rule.says_something or _are_neighbours(rule.level.after, rule.neighbour.after)


def sites(rule: Rule, syntax: Syntax) -> list[Site]:
    """Return where a rule applies, in order of the text; no two of them overlap."""
    candidates = _all_nodes(rule, syntax) if rule.says_something else _neighbours(rule)
    places = []
    for node in candidates:
        bound = matched(rule.before, node)
        if bound is None or node.has_error or matched(rule.after, node) is not None:
            continue
        new_text = filled(rule.after, rule.source, bound)
        if new_text != node.text and _fits(rule, node, new_text):
            places.append(Site(node, new_text))
    in_order = sorted(_outermost(places), key=lambda site: site.node.start_byte)
    is_apart = all(first.node.end_byte <= second.node.start_byte for first, second in pairwise(in_order))
    return in_order if is_apart and len(in_order) <= MAX_SITES and not _is_passed(rule, in_order) else []


def _fits(rule: Rule, node: Node, new_text: bytes) -> bool:
    """Whether a text of several lines is indented as it has to be where it goes."""
    return b"\n" not in new_text or node.start_point.column == rule.level.after.start_point.column


def _is_passed(rule: Rule, in_order: Sequence[Site]) -> bool:
    """Whether a place between the two examples was left as it was: the user knows it and wants it so."""
    first, last = sorted((rule.level.after.start_byte, rule.neighbour.after.start_byte))
    return any(first < site.node.start_byte < last for site in in_order)


def leftover(word: bytes, places: Sequence[Site], syntax: Syntax) -> bool:
    """Whether a word stands anywhere but in the sites of a rule."""
    count = len(re.findall(rb"(?<!\w)" + re.escape(word) + rb"(?!\w)", syntax.source))
    held = sum(len(re.findall(rb"(?<!\w)" + re.escape(word) + rb"(?!\w)", site.node.text or b"")) for site in places)
    return count > held


def _all_nodes(rule: Rule, syntax: Syntax) -> Iterator[Node]:
    try:
        query = Query(grammar(syntax.language), f"({rule.before.kind}) @site")
    except QueryError:
        return
    yield from QueryCursor(query).captures(syntax.tree.root_node).get("site", [])


def _neighbours(rule: Rule) -> Iterator[Node]:
    """Yield the nodes right before and after the examples, as long as each of them matches."""
    upper, lower = sorted((rule.level.after, rule.neighbour.after), key=lambda node: node.start_byte)
    siblings = _siblings(upper)
    places = [node.start_byte for node in siblings]
    first, last = places.index(upper.start_byte), places.index(lower.start_byte)
    for run in (reversed(siblings[:first]), siblings[last + 1 :]):
        inner = (_inner(node, rule.before.kind) for node in run)
        yield from takewhile(lambda node: matched(rule.before, node) is not None, inner)


def _are_neighbours(first: Node, second: Node) -> bool:
    siblings = _siblings(first)
    places = [node.start_byte for node in siblings]
    is_same = second.start_byte in places and first.start_byte in places
    return is_same and abs(places.index(first.start_byte) - places.index(second.start_byte)) == 1


def _siblings(node: Node) -> list[Node]:
    """Return the named nodes of the same parent; of a node that fills its parent, that parent's."""
    around = node
    while around.parent is not None and around.parent.byte_range == node.byte_range:
        around = around.parent
    parent = around.parent
    return [child for child in parent.named_children if not child.is_extra] if parent is not None else []


def _inner(node: Node, kind: str) -> Node:
    """Return the node of a kind that fills a node, or that node."""
    within: Node | None = node
    while within is not None and within.type != kind:
        within = next((child for child in within.named_children if child.byte_range == node.byte_range), None)
    return within or node


def _outermost(places: Sequence[Site]) -> Iterator[Site]:
    for site in places:
        start, end = site.node.byte_range
        others = (around.node for around in places if around is not site)
        if not any(around.start_byte <= start and end <= around.end_byte for around in others):
            yield site
