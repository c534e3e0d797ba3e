"""Return the type annotation of a TypeScript variable that is valid in another place. Pure; never guesses."""

from typing import Final

from tree_sitter import Node

from spark_lsp.actions.javascript.context_types import PRIMITIVES, is_expected
from spark_lsp.actions.javascript.piece import Piece
from spark_lsp.actions.javascript.scopes import Binding, Scope, text_of

_PLAIN: Final = {"string": ": string", "template_string": ": string", "number": ": number", "true": ": boolean",
                 "false": ": boolean"}  # fmt: skip
_UNNARROWED: Final = frozenset(("string", "number", "boolean", "bigint", "symbol"))


def type_of(binding: Binding, program: Scope, piece: Piece) -> str:  # noqa: PLR0911 - one for each way to declare
    """Return a variable's annotation with its colon; empty if it has none or the type is only known here."""
    declarations = binding.declarations
    if len(declarations) != 1:
        return ""
    name = declarations[0].node
    holder = name.parent
    if holder is None:
        return ""
    annotation = holder.child_by_field_name("type")
    if annotation is None:
        value = holder.child_by_field_name("value") if holder.type == "variable_declarator" else None
        if value is None:
            return ""
        is_expected_there = any(is_expected(use.node) for use in binding.uses if piece.holds(use.node))
        is_literal = binding.kind == "const" and value.type in PRIMITIVES and is_expected_there
        return f": {text_of(value)}" if is_literal else _PLAIN.get(value.type, "")
    if (
        holder.type == "optional_parameter"
        or "|" in text_of(annotation)
        or not _is_known_above(annotation, binding, program)
    ):
        return ""  # narrowing by a condition would be lost
    has_value = holder.type == "variable_declarator" and holder.child_by_field_name("value") is not None
    if (has_value or not binding.is_constant) and text_of(annotation).lstrip(": ") not in _UNNARROWED:
        return ""  # an assignment narrows a type that may be a union
    return text_of(annotation)


def _is_known_above(annotation: Node, binding: Binding, program: Scope) -> bool:
    """Whether every name in a type means the same at top level."""
    stack = [annotation]
    while stack:
        node = stack.pop()
        if node.type in {"type_identifier", "identifier"}:
            scope = next((outer for outer in binding.scope.around() if text_of(node) in outer.names), None)
            if scope is not None and scope is not program:
                return False
        stack += node.named_children
    return True
