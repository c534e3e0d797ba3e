"""Decide whether extracted code becomes a function of the module or a method of its class. Pure."""

import ast
from typing import Final, Literal

from spark_lsp.actions.python.analysis.selection import Piece
from spark_lsp.actions.python.analysis.source import Scope, Source
from spark_lsp.actions.python.analysis.walks import binders, deep_nodes, first_parameter, is_bound_to_class

Form = Literal["function", "method", "class method"]

_NOT_THROUGH_SELF: Final = frozenset({"__new__", "__getattribute__", "__init_subclass__", "__class_getitem__"})
"""Methods whose first parameter is not a complete object with methods."""
_NO_NEW_METHODS: Final = ("Protocol", "TypedDict", "NamedTuple")


def form_of(source: Source, piece: Piece, parameters: set[str], bound: set[str]) -> Form | None:
    """Return the form of the new function; None if it would have to be a method and cannot."""
    scope = piece.scope
    owner = source.parent(scope)
    around = [scope, *source.scopes_around(scope)]
    is_in_class = any(isinstance(node, ast.ClassDef) for node in around)
    needs_class = is_in_class and any(is_bound_to_class(node) for node in deep_nodes(piece.nodes))
    method: Form | None = None
    if isinstance(owner, ast.ClassDef) and _may_hold_methods(owner) and first_parameter(scope) not in bound:
        method = _method_form(scope)
    if method and (first_parameter(scope) in parameters or needs_class):
        return method
    return None if needs_class else "function"


def _method_form(scope: Scope) -> Form | None:
    first = first_parameter(scope)
    if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef) or scope.name in _NOT_THROUGH_SELF:
        return None
    if len(binders(scope, first)) > 1:
        return None
    decorators = {ast.unparse(decorator) for decorator in scope.decorator_list}
    if first == "self" and not decorators & {"staticmethod", "classmethod"}:
        return "method"
    return "class method" if first == "cls" and "classmethod" in decorators else None


def _may_hold_methods(owner: ast.ClassDef) -> bool:
    bases = " ".join(ast.unparse(base) for base in [*owner.bases, *(keyword.value for keyword in owner.keywords)])
    has_own_access = any(
        isinstance(statement, ast.FunctionDef) and statement.name == "__getattribute__" for statement in owner.body
    )
    return not has_own_access and not any(method in bases for method in _NO_NEW_METHODS)
