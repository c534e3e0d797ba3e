"""Check that the values a Python function returns fit its signature and docstring. Pure."""

import ast
import re
from collections.abc import Set as AbstractSet
from typing import Final

from spark_lsp.actions.checks.functions import Function, own_nodes
from spark_lsp.actions.checks.kinds import PLAIN, Kinds, kind_of

_ANYTHING: Final = frozenset(("Any", "object", "Self", "NoReturn", "Never"))
_FITS: Final = {
    "bool": {"bool", "int", "float", "complex"},
    "int": {"int", "float", "complex"},
    "float": {"float", "complex"},
}
_OFTEN_PROMISED = re.compile(
    r"^\s*(?:Returns?|Yields?|Get|Compute|Calculate|Count)\b|^\s*(?::returns?:|Returns:)", re.MULTILINE
)


def return_problem(function: Function, body: list[ast.stmt], classes: AbstractSet[str], kinds: Kinds) -> str:
    """Say in one sentence what is wrong with a function's return values; empty for nothing.

    ``classes`` are those of the file whose objects are not plain values, ``kinds`` are known types.
    """
    nodes = list(own_nodes(body))
    values = [node.value for node in nodes if isinstance(node, ast.Return)]
    gives = any(value is not None and not _is_none(value) for value in values)
    yields = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes)
    if function.returns is None:
        promised = _OFTEN_PROMISED.search(ast.get_docstring(function) or "")
        is_silent = not gives and not yields and not always_leaves(body) and not _is_setter(function)
        says = f"{function.name} returns nothing, but its docstring describes a return value."
        return says if promised and is_silent else ""
    names = _alternatives(function.returns)
    if yields or names is None or names & _ANYTHING:
        return ""
    unlike = _unlike(values, names, classes, kinds)
    head = f"and its signature says {ast.unparse(function.returns)}."
    if unlike:
        return f"{function.name} returns {_article(unlike)}, {head}"
    ends = "None" not in names and not always_leaves(body)
    return f"{function.name} may end without a value, {head}" if ends else ""


def _unlike(values: list[ast.expr | None], names: set[str], classes: AbstractSet[str], kinds: Kinds) -> str:
    """Return the type of the first value that contradicts an annotation."""
    kinds_of_values = ("None" if value is None else kind_of(value, kinds) for value in values)
    return next((kind for kind in kinds_of_values if kind and not _fits(kind, names, classes)), "")


def fits(value: ast.expr, annotation: ast.expr, classes: AbstractSet[str], kinds: Kinds) -> bool:
    """Whether a value may have the annotated type; true if either is unknown."""
    names = _alternatives(annotation)
    return names is None or bool(names & _ANYTHING) or not _unlike([value], names, classes, kinds)


def _is_setter(function: Function) -> bool:
    return any(
        isinstance(decorator, ast.Attribute) and decorator.attr == "setter" for decorator in function.decorator_list
    )


def _article(kind: str) -> str:
    return kind if kind == "None" else f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _alternatives(node: ast.expr) -> set[str] | None:
    """Return the names in an annotation, ``None`` among them; None if it is not plain."""
    alternatives: set[str] | None = None
    if _is_none(node):
        alternatives = {"None"}
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            alternatives = _alternatives(ast.parse(node.value, mode="eval").body)
        except SyntaxError:
            alternatives = None
    elif isinstance(node, ast.Name | ast.Attribute):
        alternatives = {node.id if isinstance(node, ast.Name) else node.attr}
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        alternatives = _together([node.left, node.right])
    elif isinstance(node, ast.Subscript):
        alternatives = _of_subscript(node)
    return alternatives


def _of_subscript(node: ast.Subscript) -> set[str] | None:
    base = _alternatives(node.value)
    if base == {"Optional"}:
        return _together([node.slice, ast.Constant(None)])
    if base == {"Union"}:
        return _together(node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice])
    return {name.lower() if name in {"List", "Dict", "Set", "Tuple"} else name for name in base} if base else None


def _together(nodes: list[ast.expr]) -> set[str] | None:
    parts = [_alternatives(node) for node in nodes]
    known = [part for part in parts if part is not None]
    return {name for part in known for name in part} if len(known) == len(parts) else None


def _fits(kind: str, names: set[str], classes: AbstractSet[str]) -> bool:
    """Whether a value of a known type fits an annotation with these names."""
    if names & _FITS.get(kind, {kind}):
        return True
    known = names - {"None"}
    if kind in classes and not known <= PLAIN:
        return True  # it may be a subclass, or a base class
    return kind != "None" and bool(known) and not known <= PLAIN | classes


def _is_none(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def always_leaves(body: list[ast.stmt]) -> bool:
    """Whether control never reaches the end of some statements."""
    return any(_leaves(statement) for statement in body)


def _leaves(node: ast.stmt) -> bool:
    leaves = isinstance(node, ast.Return | ast.Raise | ast.Continue)
    if isinstance(node, ast.If):
        leaves = always_leaves(node.body) and always_leaves(node.orelse)
    elif isinstance(node, ast.With | ast.AsyncWith):
        leaves = always_leaves(node.body)
    elif isinstance(node, ast.While):
        is_endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        leaves = is_endless and not any(isinstance(descendant, ast.Break) for descendant in ast.walk(node))
    elif isinstance(node, ast.Try):
        tried = always_leaves([*node.body, *node.orelse])
        leaves = always_leaves(node.finalbody) or (
            tried and all(always_leaves(handler.body) for handler in node.handlers)
        )
    elif isinstance(node, ast.Match):
        rest = any(isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None for case in node.cases)
        leaves = rest and all(always_leaves(case.body) for case in node.cases)
    return leaves
