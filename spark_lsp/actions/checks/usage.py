"""Check that a function uses a parameter only in ways that values of its plain type allow. Pure."""

import ast
import builtins
from typing import Final

from spark_lsp.actions.checks.functions import Function

_PLAIN: Final = ("int", "str", "float", "bool", "bytes", "list", "dict", "set", "tuple", "frozenset")


def usage_problem(function: Function, name: str, annotation: str) -> str:
    """Say in one sentence why a parameter cannot have a type; empty if it can, or the type is not plain.

    A function that inspects the type of the value, or reassigns the name, is not judged.
    """
    kinds = [part.strip().partition("[")[0] for part in annotation.split("|")]
    kinds = [kind for kind in kinds if kind != "None"]
    nodes = [node for statement in function.body for node in ast.walk(statement)]
    if not kinds or any(kind not in _PLAIN for kind in kinds) or _is_asked_for(nodes, name):
        return ""
    for node in nodes:
        wanted = _wanted(node, name)
        if wanted and not any(wanted in dir(getattr(builtins, kind)) for kind in kinds):
            return f"{name} is used as {' or '.join(kinds)} cannot be."
    return ""


def _is_asked_for(nodes: list[ast.AST], name: str) -> bool:
    """Whether a function inspects the type of a parameter, or reassigns its name."""
    for node in nodes:
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            first = node.args[0] if node.args else None
            asks = node.func.id in {"isinstance", "hasattr", "type", "callable", "getattr"}
            if asks and isinstance(first, ast.Name) and first.id == name:
                return True
    return False


def _wanted(node: ast.AST, name: str) -> str:
    """Return the attribute that a value needs for what a node does with a parameter."""
    held: ast.AST | None = None
    wanted = ""
    if isinstance(node, ast.Attribute):
        held, wanted = node.value, node.attr
    elif isinstance(node, ast.Subscript):
        held, wanted = node.value, "__setitem__" if isinstance(node.ctx, ast.Store) else "__getitem__"
    elif isinstance(node, ast.For | ast.comprehension):
        held, wanted = node.iter, "__iter__"
    elif isinstance(node, ast.Call):
        held, wanted = node.func, "__call__"
    elif isinstance(node, ast.Starred):
        held, wanted = node.value, "__iter__"
    return wanted if isinstance(held, ast.Name) and held.id == name else ""
