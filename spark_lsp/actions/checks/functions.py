"""Find the functions of a Python text for the checks, by line, by class and by what they call. Pure."""

import ast
from collections.abc import Iterator
from typing import Final

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTION_TYPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


def parsed(text: str) -> ast.Module | None:
    """Return the tree of a text; None if it does not parse."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def function_at(tree: ast.Module, line: int) -> tuple[Function, ast.ClassDef | None] | None:
    """Return the function whose ``def`` is on a line, counted from 1, and its class if it is a method."""
    for owner in ast.walk(tree):
        for child in ast.iter_child_nodes(owner):
            if isinstance(child, FUNCTION_TYPES) and child.lineno == line:
                return child, owner if isinstance(owner, ast.ClassDef) else None
    return None


def body_of(function: Function) -> list[ast.stmt]:
    """Return a function's statements without its docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def own_nodes(statements: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the nodes that run in their own function, without nested functions and classes."""
    stack: list[ast.AST] = list(reversed(statements))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (*FUNCTION_TYPES, ast.Lambda, ast.ClassDef)):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))


def called_name(call: ast.Call) -> str:
    """Return the last name of a called expression, empty if it has none."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` for a name or a chain of attributes; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def parameters(function: Function) -> list[ast.arg]:
    """Return all parameters in order, starred ones included."""
    args = function.args
    stars = [parameter for parameter in (args.vararg, args.kwarg) if parameter is not None]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *stars]


def is_static(function: Function) -> bool:
    """Whether a method has no implicit first parameter."""
    return any(dotted(decorator) == "staticmethod" for decorator in function.decorator_list)
