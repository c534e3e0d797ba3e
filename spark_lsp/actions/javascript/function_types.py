"""Whether TypeScript sees the same types when code becomes a function that says none for its result. Pure.

A function's result is inferred: a literal widens, and what a call or an assignment told of a variable is not passed on.
"""

from collections.abc import Sequence
from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.context_types import PRIMITIVES, has_literal, is_expected, keeps_type, results_of
from spark_lsp.actions.javascript.file_uses import FileUses, every
from spark_lsp.actions.javascript.piece import Piece
from spark_lsp.actions.javascript.scopes import Binding, text_of
from spark_lsp.actions.refusal import Refusal

_WIDE: Final = frozenset((": string", ": number", ": boolean", ": bigint"))


def result_problem(
    piece: Piece, body: Node, uses: FileUses, declared: Sequence[Binding], *, returns: bool
) -> Refusal | None:
    """Return why the result of a piece would have another type; None when it keeps it."""
    if _calls_itself(piece, body):
        return Refusal("type", "The function calls itself and says no type for its result.")
    if piece.is_expression:
        return _value_problem(piece.nodes[0], uses, is_expected=is_expected(piece.nodes[0]))
    if returns:
        told = body.child_by_field_name("return_type")
        if told is not None and text_of(told) in _WIDE:
            return None
        is_wanted = told is not None or body.type not in {"function_declaration", "method_definition"}
        results = [result for node in piece.nodes for result in results_of(node)]
        problems = (_value_problem(each, uses, is_expected=is_wanted) for each in results)
        return next((problem for problem in problems if problem), None)
    problems = (_declared_problem(binding) for binding in declared)
    return next((problem for problem in problems if problem), None)


def _declared_problem(binding: Binding) -> Refusal | None:
    """Return why a variable would have another type as a result of a function; None when it keeps it."""
    holder = binding.declarations[0].node.parent
    if holder is None or holder.child_by_field_name("type") is not None:
        return None
    value = holder.child_by_field_name("value")
    if binding.kind == "const":
        if value is not None and has_literal(value):
            return Refusal("type", f"{binding.name} has the type of its literal, which a function would not return.")
    elif value is None or value.type in {"null", "undefined"}:
        return Refusal("type", f"The type of {binding.name} follows from what it is given later.")
    if value is not None and value.type == "array" and not value.named_child_count:
        return Refusal("type", f"The type of {binding.name} follows from what is put into it later.")
    return None


def closure_problem(piece: Piece, used: Sequence[Binding]) -> Refusal | None:
    """Return why a function in front could not use a variable with the type it has here; None when it can."""
    for binding in used:
        holder = binding.declarations[0].node.parent if binding.declarations else None
        if holder is None or holder.type not in {"variable_declarator", "required_parameter", "optional_parameter"}:
            continue
        value, told = holder.child_by_field_name("value"), holder.child_by_field_name("type")
        is_variable = holder.type == "variable_declarator"
        is_empty = value is not None and value.type == "array" and not value.named_child_count
        is_open = is_variable and told is None and (value is None or value.type in {"null", "undefined"} or is_empty)
        if is_open:
            return Refusal("type", f"The type of {binding.name} follows from what it is given later.")
        is_written = any(use.writes and piece.holds(use.node) for use in binding.uses)
        if is_written and is_variable and value is None:
            return Refusal("type", f"TypeScript would not see that {binding.name} gets its value.")
        if not binding.is_constant and told is not None and text_of(told) not in _WIDE:
            return Refusal("type", f"The type of {binding.name} may be narrowed where the selection stands.")
    return None


def _value_problem(value: Node, uses: FileUses, *, is_expected: bool) -> Refusal | None:
    is_literal = value.type in PRIMITIVES - {"true", "false"}
    keeps = not is_literal and keeps_type(value, uses, is_inner=_is_name(value))
    if not keeps and (is_expected or is_literal or _is_name(value)):
        return Refusal("type", "The result has the type of a literal, or takes it from where it stands.")
    return None


def _is_name(value: Node) -> bool:
    return value.type == "identifier"


def _calls_itself(piece: Piece, body: Node) -> bool:
    """Whether a piece calls the function around it, whose result has no type of its own."""
    own = body.child_by_field_name("name")
    if own is None and body.parent is not None and body.parent.type == "variable_declarator":
        own = body.parent.child_by_field_name("name")
    if own is None or body.child_by_field_name("return_type") is not None:
        return False
    words = {text_of(node) for top in piece.nodes for node in every(top) if not node.named_child_count}
    return text_of(own) in words
