"""Find the calls of a method in a Python file, or why they are uncertain. Pure.

A known class of the object decides. For any other object, a method that only one class defines is assumed to be the
called one, unless the object may come from outside the workspace.
"""

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from spark_lsp.actions.python.analysis.call_sites import (
    CallIssue,
    Calls,
    Modules,
    binds,
    called_as,
    in_order_of_text,
    inner_module,
    module_of,
)
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import first_parameter
from spark_lsp.actions.python.call_updates.builtin_methods import of_python

Receiver = Literal["own", "other", "class", "unknown"]
Judge = Callable[[ast.expr], Literal["own", "other", "unknown"]]
"""Decides from the class of an object whether a method of it is the wanted one."""


def _no_one_knows(_object: ast.expr) -> Literal["unknown"]:
    return "unknown"


@dataclass(frozen=True, slots=True)
class Method:
    """A method; ``is_plain`` if it is called on an instance, neither static nor a class method."""

    name: str
    class_name: str
    is_plain: bool
    is_class: Callable[[str], bool]
    """Whether the workspace has a class of a name."""
    same_name_owner: str = ""
    """A file with another definition of the name, empty for none."""


def method_calls(
    source: Source, method: Method, owner: ast.ClassDef | None, modules: Modules, judge: Judge = _no_one_knows
) -> Calls:
    """Return the calls of a method in a file; ``owner`` is its class in the file that defines it."""
    calls: list[ast.Call] = []
    for node in called_as(source, method.name):
        known = judge(node.value)
        kind = _receiver(source, node.value, method, owner, modules) if known == "unknown" else known
        if kind == "other":
            continue
        call = source.parent(node)
        if not isinstance(call, ast.Call) or call.func is not node:
            return CallIssue(node.lineno, f"{method.name} is passed on without being called")
        if kind == "class":
            return CallIssue(node.lineno, f"{method.name} is called on a class")
        if kind == "unknown" and method.same_name_owner:
            return CallIssue(node.lineno, f"{method.name} may be that of {method.same_name_owner}")
        if kind == "unknown" and method.name in of_python():
            return CallIssue(node.lineno, f"built-in types have a method {method.name}")
        if kind == "unknown" and (outside := _from_outside(source, modules)):
            return CallIssue(node.lineno, f"the object of {method.name} may come from {outside}")
        calls.append(call)
    return in_order_of_text(calls)


def _receiver(source: Source, node: ast.expr, method: Method, owner: ast.ClassDef | None, modules: Modules) -> Receiver:
    if isinstance(node, ast.Call):
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called in {"super", "type"}:
            return "class"
        return "own" if owner is not None and called == owner.name == method.class_name else "unknown"
    if isinstance(node, ast.Attribute):
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        is_outside = isinstance(root, ast.Name) and _imported(source, root.id, modules) == "other"
        return "other" if is_outside else "class" if node.attr == "__class__" else "unknown"
    return _of_name(source, node, method, owner, modules) if isinstance(node, ast.Name) else "unknown"


def _of_name(source: Source, node: ast.Name, method: Method, owner: ast.ClassDef | None, modules: Modules) -> Receiver:
    if _imported(source, node.id, modules) in {"other", "module"}:
        return "other"
    if method.is_class(node.id) or (owner is not None and node.id == owner.name):
        return "own" if owner is not None and node.id == owner.name and not method.is_plain else "class"
    return _of_object(source, node, method, owner)


def _of_object(source: Source, node: ast.Name, method: Method, owner: ast.ClassDef | None) -> Receiver:
    """Decide about a name that may be a method's ``self``."""
    scope = source.scope_of(node)
    while not isinstance(scope, ast.Module) and first_parameter(scope) != node.id:
        scope = source.scope_of(scope)
    if isinstance(scope, ast.Module) or not isinstance(source.parent(scope), ast.ClassDef):
        return "unknown"
    decorators = {ast.unparse(decorator) for decorator in getattr(scope, "decorator_list", [])}
    if "classmethod" in decorators and method.is_plain:
        return "class"
    return "own" if source.parent(scope) is owner and "staticmethod" not in decorators else "unknown"


def _imported(source: Source, name: str, modules: Modules) -> Literal["", "module", "other", "inside"]:
    """Return what an imported name is: a module of the workspace, a name in one, or an external one."""
    nodes = list(ast.walk(source.tree))
    if any(binds(node, name) and not isinstance(node, ast.alias) for node in nodes):
        return ""
    for node in nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for alias in node.names:
            if (alias.asname or alias.name.split(".")[0]) != name:
                continue
            if isinstance(node, ast.Import):
                return "module" if modules(alias.name) else "other"
            if modules(inner_module(node, alias.name)):
                return "module"
            return "inside" if modules(module_of(node)) else "other"
    return ""


def _from_outside(source: Source, modules: Modules) -> str:
    """Return a module in a file's imports that belongs neither to the workspace nor to Python."""
    for node in ast.walk(source.tree):
        named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        named += [module_of(node)] if isinstance(node, ast.ImportFrom) and not node.level else []
        for name in named:
            if name.split(".")[0] not in sys.stdlib_module_names and not modules(name):
                return name
    return ""
