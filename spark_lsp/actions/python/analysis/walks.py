"""Walk over a piece of code, with and without inner functions. Pure."""

import ast
from collections.abc import Iterator
from typing import Final

from spark_lsp.actions.python.analysis.control_flow import control_flow_of
from spark_lsp.actions.python.analysis.scopes import COMPREHENSIONS, FUNCTIONS, arguments, evaluated_at_definition
from spark_lsp.actions.python.analysis.source import Scope

FRAME_NAMES: Final = frozenset({"_getframe", "_getframemodulename", "currentframe", "getouterframes", "extract_stack"})
"""Names that give access to the frames of calling functions."""


def nodes_of(scope: ast.AST, *, itself: bool = False) -> Iterator[ast.AST]:
    """Yield the nodes that run in a scope, including what an inner definition evaluates at once."""
    todo = [scope] if itself else list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            todo += evaluated_at_definition(node)
        else:
            todo += ast.iter_child_nodes(node)


def deep_nodes(nodes: tuple[ast.AST, ...]) -> Iterator[ast.AST]:
    """Yield all nodes, those of inner functions too."""
    return (descendant for node in nodes for descendant in ast.walk(node))


def waits(node: ast.AST) -> bool:
    """Whether a node makes its function awaitable."""
    if isinstance(node, COMPREHENSIONS) and not isinstance(node, ast.GeneratorExp):
        return any(generator.is_async for generator in node.generators)
    return isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)


def is_bound_to_class(node: ast.AST) -> bool:
    """Whether a node means something else outside its class: ``super``, ``__class__``, ``__private``."""
    for name in (getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "arg", None)):
        if isinstance(name, str) and (
            name in {"super", "__class__"} or (name.startswith("__") and not name.endswith("__"))
        ):
            return True
    return False


def binders(scope: ast.AST, name: str) -> list[ast.AST]:
    """Return the nodes that bind a name in a scope: assignments, and the parameter."""
    nodes: list[ast.AST] = []
    flow = control_flow_of(scope)
    nodes += [
        point.node for point in flow.points if point.name == name and point.kind in {"bind", "unbind"} and point.node
    ]
    if isinstance(scope, FUNCTIONS):
        nodes += [parameter for parameter in arguments(scope.args) if parameter.arg == name]
    return nodes


def named_by(node: ast.AST) -> str:
    """Return the name in a node, of a variable or an attribute; ``inspect.stack`` counts as ``currentframe``."""
    if isinstance(node, ast.Attribute):
        is_stack = node.attr == "stack" and isinstance(node.value, ast.Name) and node.value.id == "inspect"
        return "currentframe" if is_stack else node.attr
    return node.id if isinstance(node, ast.Name) else ""


def looks_at_frames(tree: ast.AST) -> set[str]:
    """Return the names of functions of a document that inspect their callers' frames, or call one that does."""
    bodies = {
        node.name: {named_by(descendant) for descendant in ast.walk(node)}
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    names = set(FRAME_NAMES)
    while True:
        more = {name for name, used in bodies.items() if name not in names and used & names}
        if not more:
            return names
        names |= more


def first_parameter(scope: Scope) -> str:
    """Return the name of a function's first parameter, empty for none."""
    if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        return ""
    given = [*scope.args.posonlyargs, *scope.args.args]
    return given[0].arg if given else ""
