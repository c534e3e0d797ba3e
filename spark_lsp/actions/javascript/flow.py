"""Analyse the control flow of a piece of JavaScript: its exits, its awaits and whether it reaches its end. Pure.

If an answer is not certain, the more restrictive one is returned.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.scopes import BODIES, FIELDS, text_of

LOOPS: Final = frozenset(("for_statement", "for_in_statement", "while_statement", "do_statement"))
BLOCKS: Final = frozenset(("statement_block", "program", "switch_case", "switch_default"))
"""Nodes in which a statement may be inserted before another."""
_OWN_THIS: Final = (BODIES | FIELDS) - {"arrow_function"}


@dataclass(frozen=True, slots=True)
class Facts:
    """Properties of a piece that limit where it may move."""

    returns: bool
    awaits: bool
    yields: bool
    jumps_out: bool
    """Whether a break or continue targets a loop or label outside."""
    this: bool
    fixed: frozenset[str]
    """``super``, ``arguments``, ``new.target``: expressions that depend on their own function."""
    has_private_names: bool
    has_eval: bool
    """Whether there is ``eval`` or ``with``, so that names can mean anything."""


def facts_of(nodes: Sequence[Node]) -> Facts:
    """Return the properties of a piece, without nested functions that do not expose them."""
    inside = list(_inside(nodes))
    direct = [node for node, depth, _own in inside if depth == 0]
    lexical = [node for node, _depth, own in inside if own]
    every = [node for node, _depth, _own in inside]
    kinds = {node.type for node in direct}
    return Facts(
        returns="return_statement" in kinds,
        awaits="await_expression" in kinds or any(_is_for_await(node) for node in direct),
        yields="yield_expression" in kinds,
        jumps_out=any(_jumps_out(node, nodes) for node in direct),
        this=any(node.type == "this" for node in lexical),
        fixed=frozenset(_fixed(lexical)),
        has_private_names=any(node.type == "private_property_identifier" for node in every),
        has_eval=any(node.type == "with_statement" or _is_eval(node) for node in every),
    )


def ends(nodes: Iterable[Node]) -> bool:
    """Whether control never reaches the end of statements: every path returns or throws."""
    return any(_ends(node) for node in nodes)


def ancestors(node: Node) -> Iterator[Node]:
    """Yield the nodes around a node, nearest first."""
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def loops_around(node: Node, body: Node) -> list[Node]:
    """Return the loops around a node in the same function."""
    loops = []
    for ancestor in ancestors(node):
        if ancestor.id == body.id:
            break
        if ancestor.type in LOOPS:
            loops.append(ancestor)
    return loops


def is_tail(last: Node, body: Node) -> bool:
    """Whether nothing of the function runs after a statement, except ``finally``."""
    node = last
    for parent in ancestors(last):
        if parent.id == body.id:
            return True
        if parent.type in LOOPS or parent.type in {"switch_case", "switch_default", "finally_clause"}:
            return False
        if parent.type == "statement_block":
            following = [child for child in parent.named_children if child.start_byte >= node.end_byte]
            if any(child.type not in {"comment", "empty_statement"} for child in following):
                return False
        node = parent
    return False


def _ends(node: Node) -> bool:  # noqa: PLR0911 - one for each kind
    kind = node.type
    if kind in {"return_statement", "throw_statement"}:
        return True
    if kind == "statement_block":
        return ends(node.named_children)
    if kind == "if_statement":
        first, second = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
        return first is not None and second is not None and _ends(first) and ends(second.named_children)
    if kind in {"while_statement", "for_statement", "do_statement"}:
        return _runs_for_ever(node)
    if kind == "labeled_statement":
        return False
    if kind == "try_statement":
        body, handler = node.child_by_field_name("body"), node.child_by_field_name("handler")
        finalizer = node.child_by_field_name("finalizer")
        if finalizer is not None and ends(finalizer.named_children):
            return True
        caught = handler.child_by_field_name("body") if handler is not None else None
        return body is not None and _ends(body) and (handler is None or (caught is not None and _ends(caught)))
    return False


def _runs_for_ever(loop: Node) -> bool:
    """Whether a loop never ends by itself: its condition is ``true`` or missing, and nothing breaks out of it."""
    condition = loop.child_by_field_name("condition")
    inner = condition
    while inner is not None and inner.type == "parenthesized_expression" and inner.named_children:
        inner = inner.named_children[0]
    is_open = inner is not None and (inner.type == "true" or text_of(inner) == "1")
    is_missing = loop.type == "for_statement" and (condition is None or condition.type == "empty_statement")
    return (is_open or is_missing) and not any(
        node.type == "break_statement" for node, _depth, _own in _inside((loop,))
    )


def _inside(nodes: Sequence[Node]) -> Iterator[tuple[Node, int, bool]]:
    """Yield every node in a piece with the number of enclosing functions, and whether it has the piece's ``this``."""
    stack = [(node, 0, True) for node in nodes]
    while stack:
        node, depth, own = stack.pop()
        yield node, depth, own
        deeper = depth + (node.type in BODIES or node.type in FIELDS)
        shares = own and node.type not in _OWN_THIS
        stack.extend((child, deeper, shares) for child in node.children)


def _fixed(nodes: Iterable[Node]) -> Iterator[str]:
    for node in nodes:
        if node.type == "super":
            yield "super"
        elif node.type == "meta_property" and text_of(node).replace(" ", "") == "new.target":
            yield "new.target"
        elif node.type == "identifier" and node.text == b"arguments":
            yield "arguments"


def _is_for_await(node: Node) -> bool:
    return node.type == "for_in_statement" and any(child.type == "await" for child in node.children)


def _is_eval(node: Node) -> bool:
    if node.type != "call_expression":
        return False
    called = node.child_by_field_name("function")
    return called is not None and called.text == b"eval"


def _jumps_out(node: Node, piece: Sequence[Node]) -> bool:
    if node.type not in {"break_statement", "continue_statement"}:
        return False
    label = node.child_by_field_name("label")
    tops = {top.id for top in piece}
    for parent in (node, *ancestors(node)):
        if label is not None:
            own = parent.child_by_field_name("label") if parent.type == "labeled_statement" else None
            is_found = own is not None and own.text == label.text
        else:
            is_found = parent.type in LOOPS or (node.type == "break_statement" and parent.type == "switch_statement")
        if is_found:
            return False
        if parent.id in tops:
            return True
    return True
