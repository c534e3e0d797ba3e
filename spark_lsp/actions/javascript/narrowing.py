"""What TypeScript knows of a value only where it stands: types narrowed by a condition, and by what takes a function.

An extracted piece would lose that, and the file would no longer type-check. Pure; knows no types, so it refuses widely.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.flow import ancestors, ends, facts_of
from spark_lsp.actions.javascript.piece import TYPED, Piece
from spark_lsp.actions.javascript.scopes import FUNCTIONS, text_of
from spark_lsp.actions.refusal import Refusal

_JOINED: Final = frozenset(("&&", "||", "??"))
_TELLS: Final = frozenset(("===", "!==", "==", "!=", "instanceof", "in"))
_CHAINS: Final = frozenset(("member_expression", "subscript_expression"))


def type_problem(piece: Piece, body: Node) -> Refusal | None:
    """Return why a piece of TypeScript would no longer type-check elsewhere; empty when nothing speaks for it."""
    if piece.syntax.language.name not in TYPED:
        return None
    if piece.is_expression and _is_in_guard(piece.nodes[0]):
        return Refusal("type", "The condition narrows a type, which it would not do from elsewhere.")
    if piece.is_expression and any(_lacks_types(each) for each in _made(piece.nodes[0])):
        return Refusal("type", "The types of its parameters come from what takes the function.")
    if not piece.is_expression and ends(piece.nodes) and not facts_of(piece.nodes).returns:
        return Refusal("type", "What comes behind it is never reached, which would no longer be seen.")
    said = "\n".join(text_of(node) for node in piece.nodes)
    alone = set(_words(piece.nodes)) if piece.is_expression else set(_written(piece.nodes))
    for guard in _guards(body):
        told = (*_chains(guard), *(word for word in _words((guard,)) if word in alone))
        chain = next((text for text in told if text in said and (text in alone or not piece.holds(guard))), "")
        if chain:
            return Refusal("type", f"The type of {chain} may be narrowed by a condition around it.")
    return None


def _guards(body: Node) -> Iterator[Node]:
    """Yield the conditions in a function that may narrow a type."""
    stack = [body]
    while stack:
        node = stack.pop()
        held = node.child_by_field_name("condition")
        if held is None and node.type == "binary_expression" and _operator(node) in _JOINED:
            held = node.child_by_field_name("left")
        if held is None and node.type == "switch_statement":
            held = node.child_by_field_name("value")
        if held is not None and _narrows(held):
            yield held
        stack += node.named_children


def _chains(guard: Node) -> Iterator[str]:
    """Yield the parts of objects that a condition speaks of: a name by itself keeps its type in an arrow function."""
    stack = [guard]
    while stack:
        node = stack.pop()
        if node.type in _CHAINS:
            yield text_of(node)
        stack += node.named_children


def _words(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the plain names in nodes."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node.type == "identifier":
            yield text_of(node)
        stack += node.named_children


def _written(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the plain names that nodes assign to."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        left = node.child_by_field_name("left") if "assignment" in node.type else None
        if left is not None:
            yield from _words((left,))
        stack += node.named_children


def _is_in_guard(node: Node) -> bool:
    """Whether an expression is a part of a condition that may narrow a type."""
    child = node
    for parent in ancestors(node):
        if parent.type in FUNCTIONS or parent.type == "statement_block":
            return False
        condition = parent.child_by_field_name("condition")
        is_left = parent.type == "binary_expression" and _operator(parent) in _JOINED and _is(parent, "left", child)
        is_value = parent.type == "switch_statement" and _is(parent, "value", child)
        if ((condition is not None and condition.id == child.id) or is_left or is_value) and _narrows(child):
            return True
        child = parent
    return False


def _narrows(node: Node) -> bool:
    """Whether a condition may say something of a type; a comparison of sizes does not."""
    if node.type == "binary_expression":
        operator = _operator(node)
        sides = (node.child_by_field_name("left"), node.child_by_field_name("right"))
        return operator in _TELLS or (
            operator in _JOINED and any(side is not None and _narrows(side) for side in sides)
        )
    if node.type in {"parenthesized_expression", "unary_expression"}:
        return any(_narrows(child) for child in node.named_children)
    return node.type in {"identifier", "call_expression", "assignment_expression", *_CHAINS}


def _made(node: Node) -> Iterator[Node]:
    """Yield the functions that an expression is or holds, those aside that a call in it takes."""
    stack = [node]
    while stack:
        each = stack.pop()
        if each.type in FUNCTIONS:
            yield each
        elif each.type != "arguments":
            stack += each.named_children


def _lacks_types(function: Node) -> bool:
    if function.child_by_field_name("parameter") is not None:
        return True
    parameters = function.child_by_field_name("parameters")
    held = parameters.named_children if parameters is not None else ()
    return any(each.child_by_field_name("type") is None and each.child_by_field_name("value") is None for each in held)


def _operator(node: Node) -> str:
    found = node.child_by_field_name("operator")
    return found.type if found is not None else ""


def _is(parent: Node, field: str, node: Node) -> bool:
    found = parent.child_by_field_name(field)
    return found is not None and found.id == node.id
