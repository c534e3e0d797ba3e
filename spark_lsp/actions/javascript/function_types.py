"""Decide whether TypeScript infers the same types when code becomes a function without a declared result type. Pure.

The result type is inferred: a literal widens, and narrowing by a call or an assignment is lost.
"""

from collections.abc import Sequence
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.context_types import (
    PRIMITIVES,
    has_literal,
    is_expected,
    keeps_type,
    results_of,
    tells_a_type,
)
from spark_lsp.actions.javascript.file_uses import FileUses, every
from spark_lsp.actions.javascript.narrowing import is_in_condition
from spark_lsp.actions.javascript.piece import Piece
from spark_lsp.actions.javascript.scopes import Binding, text_of
from spark_lsp.actions.refusal import Refusal

_WIDE: Final = frozenset((": string", ": number", ": boolean", ": bigint"))


def result_problem(  # noqa: PLR0911 - a list of reasons
    piece: Piece, body: Node, uses: FileUses, declared: Sequence[Binding], *, returns: bool
) -> Refusal | None:
    """Return why the result of a piece would have another type; None if it keeps its type."""
    if _calls_itself(piece, body):
        return Refusal("type", "The function calls itself and declares no result type.")
    if any(_asks(node) for top in piece.nodes for node in every(top)):
        return Refusal("type", "The value of a yield has no type in a new function.")
    if piece.is_expression:
        if _is_alias_of_a_check(piece.nodes[0], uses):
            return Refusal("type", "The expression narrows a type, which the result of a function would not.")
        return _value_problem(piece.nodes[0], uses, is_expected=is_expected(piece.nodes[0]))
    if returns:
        return_type = body.child_by_field_name("return_type")
        is_plain = return_type is not None and (
            text_of(return_type) in _WIDE or return_type.type == "type_predicate_annotation"
        )
        if is_plain or (return_type is not None and text_of(return_type) == ": Promise<boolean>"):
            return None
        is_wanted = return_type is not None or body.type not in {"function_declaration", "method_definition"}
        results = [result for node in piece.nodes for result in results_of(node)]
        problems = (_value_problem(result, uses, is_expected=is_wanted) for result in results)
        return next((problem for problem in problems if problem), None)
    problems = (_declared_problem(binding, piece, len(declared)) for binding in declared)
    return next((problem for problem in problems if problem), None)


def _annotated_problem(name: str, annotation: Node, value: Node | None, piece: Piece, count: int) -> Refusal | None:
    """Return why an annotated variable would lose its type; only a single result can carry its annotation."""
    if value is None:
        return Refusal("type", f"{name} gets its value later.")
    if count > 1 and text_of(annotation) not in _WIDE:
        return Refusal("type", f"{name} would get the type of its first value.")
    own = _types_declared_in(piece)
    inner = next((text_of(node) for node in every(annotation) if text_of(node) in own), "")
    return Refusal("type", f"The type {inner} is declared in the selection.") if inner else None


def _declared_problem(binding: Binding, piece: Piece, count: int) -> Refusal | None:  # noqa: PLR0911 - a list of reasons
    """Return why a variable would have another type as a function result; None if it keeps its type."""
    holder = binding.declarations[0].node.parent
    if holder is None:
        return None
    annotation = holder.child_by_field_name("type")
    value = holder.child_by_field_name("value")
    if annotation is not None:
        return _annotated_problem(binding.name, annotation, value, piece, count)
    checked = any(is_in_condition(use.node) for use in binding.uses if not piece.holds(use.node))
    if checked and (holder.type != "variable_declarator" or (value is not None and tells_a_type(value))):
        return Refusal("type", f"{binding.name} narrows the type of another value, which a function result would not.")
    if binding.kind == "const":
        if value is not None and (has_literal(value) or _makes_symbol(value)):
            return Refusal("type", f"{binding.name} has a unique type, which a function would not return.")
    elif value is None or value.type in {"null", "undefined"}:
        return Refusal("type", f"The type of {binding.name} is inferred from later assignments.")
    if value is not None and value.type == "array" and not value.named_child_count:
        return Refusal("type", f"The type of {binding.name} is inferred from values that are added later.")
    return None


def _types_declared_in(piece: Piece) -> set[str]:
    kinds = {"type_alias_declaration", "interface_declaration", "class_declaration", "enum_declaration",
             "variable_declarator"}  # fmt: skip
    own = (node.child_by_field_name("name") for top in piece.nodes for node in every(top) if node.type in kinds)
    return {text_of(name) for name in own if name is not None}


def _is_alias_of_a_check(node: Node, uses: FileUses) -> bool:
    """Whether TypeScript narrows a type by a variable or function that contains a type check."""
    while node.parent is not None and node.parent.type in {"binary_expression", "unary_expression"}:
        node = node.parent
    parent = node.parent
    if parent is None or not tells_a_type(node):
        return False
    if parent.type in {"return_statement", "arrow_function"}:
        return True
    own = parent.child_by_field_name("name") if parent.type == "variable_declarator" else None
    use = uses.get(own.id) if own is not None else None
    binding = use.binding if use is not None else None
    return binding is not None and any(is_in_condition(read.node) for read in binding.uses)


def closure_problem(piece: Piece, used: Sequence[Binding]) -> Refusal | None:
    """Return why an arrow function before the statement could not use a variable with its type here; None if it can."""
    for binding in used:
        holder = binding.declarations[0].node.parent if binding.declarations else None
        if holder is None or holder.type not in {"variable_declarator", "required_parameter", "optional_parameter"}:
            continue
        value, node = holder.child_by_field_name("value"), holder.child_by_field_name("type")
        is_variable = holder.type == "variable_declarator"
        is_empty = value is not None and value.type == "array" and not value.named_child_count
        is_open = is_variable and node is None and (value is None or value.type in {"null", "undefined"} or is_empty)
        if is_open:
            return Refusal("type", f"The type of {binding.name} is inferred from later assignments.")
        is_written = any(use.writes and piece.holds(use.node) for use in binding.uses)
        if is_written and is_variable and value is None:
            return Refusal("type", f"TypeScript would not see that {binding.name} gets its value.")
        is_plain = text_of(node) in _WIDE if node is not None else value is not None and value.type in PRIMITIVES
        if not binding.is_constant and not is_plain:
            return Refusal("type", f"The type of {binding.name} may be narrowed at the selection.")
    return None


def _value_problem(value: Node, uses: FileUses, *, is_expected: bool) -> Refusal | None:
    is_literal = value.type in PRIMITIVES and (is_expected or value.type not in {"true", "false"})
    if _makes_symbol(value):
        return Refusal("type", "A symbol has a unique type, which a function would not return.")
    keeps = not is_literal and keeps_type(value, uses, is_inner=_is_name(value))
    if not keeps and (is_expected or is_literal or _is_name(value)):
        return Refusal("type", "The result has a literal type, or its type depends on its place.")
    return None


def _asks(node: Node) -> bool:
    """Whether the value of a ``yield`` is used."""
    is_yield = node.type == "yield_expression" and not any(child.type == "*" for child in node.children)
    return is_yield and node.parent is not None and node.parent.type != "expression_statement"


def _makes_symbol(value: Node) -> bool:
    called = value.child_by_field_name("function") if value.type == "call_expression" else None
    return called is not None and text_of(called) in {"Symbol", "Symbol.for"}


def _is_name(value: Node) -> bool:
    return value.type == "identifier"


def _calls_itself(piece: Piece, body: Node) -> bool:
    """Whether a piece calls the function around it, whose result type is not declared."""
    own = body.child_by_field_name("name")
    if own is None and body.parent is not None and body.parent.type == "variable_declarator":
        own = body.parent.child_by_field_name("name")
    if own is None or body.child_by_field_name("return_type") is not None:
        return False
    words = {text_of(node) for top in piece.nodes for node in every(top) if not node.named_child_count}
    return text_of(own) in words
