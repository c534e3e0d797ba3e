"""Collect the types that a parameter holds, from assignments in its function and from its calls. Pure."""

import ast
from collections.abc import Collection, Iterator

from spark_lsp.actions.checks.functions import Function
from spark_lsp.actions.python.analysis.classes import files_mentioning
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import named_by, nodes_of
from spark_lsp.actions.python.missing_annotations import type_of
from spark_lsp.index.storage.view import IndexView

MAX_FILES = 50
"""Files with calls; more take too long to read."""
_DISPLAYS = {
    ast.List: "list",
    ast.ListComp: "list",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Set: "set",
    ast.Tuple: "tuple",
}


def holds_only(function: Function, name: str, types: Collection[str]) -> bool:
    """Whether no assignment in a function gives a parameter a value of another or unknown type."""
    for node in nodes_of(function):
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name) and node.left.id == name:
            asks_none = any(
                isinstance(comparator, ast.Constant) and comparator.value is None for comparator in node.comparators
            )
            if asks_none and "None" not in types:
                return False
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load):
            value = next(_values_for(function, node), None)
            if value is None or not _fits(value, types):
                return False
    return True


def calls_pass(
    source: Source, function: Function, name: str, types: Collection[str], path: str, view: IndexView
) -> bool:
    """Whether no visible call passes a value of another type for a parameter."""
    owner = source.parent(function)
    called = owner.name if isinstance(owner, ast.ClassDef) and function.name == "__init__" else function.name
    trees = [source.tree]
    others = sorted(files_mentioning(view, called) - {path})
    for other_path in others[:MAX_FILES]:
        try:
            trees.append(ast.parse(view.files[other_path].text))
        except (SyntaxError, ValueError, RecursionError):
            continue
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    calls = (node for node in nodes if named_by(node.func) == called)
    return all(_fits(value, types, unknown=True) for call in calls for value in _passed(call, function, name, owner))


def _values_for(function: Function, target: ast.Name) -> Iterator[ast.expr]:
    for node in nodes_of(function):
        if isinstance(node, ast.Assign) and node.targets == [target]:
            yield node.value
        if isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.target is target and node.value is not None:
            yield node.value
        if isinstance(node, ast.AugAssign) and node.target is target and isinstance(node.op, ast.Add):
            yield node.value


def _fits(value: ast.expr, types: Collection[str], *, unknown: bool = False) -> bool:
    """Whether a value has one of some types; ``unknown`` is the answer for one that is not plain."""
    if isinstance(value, ast.Constant) and value.value is None:
        return not types.isdisjoint({"None", "object"}) if isinstance(types, set) else "None" in types
    kind = type_of(value) or _DISPLAYS.get(type(value), "")
    if not kind:
        return unknown
    roots = {type_text.partition("[")[0] for type_text in types}
    wider = {"bool": {"int", "float"}, "int": {"float"}}.get(kind, set())
    return "object" in roots or kind in roots or bool(roots & wider) or not roots <= _KNOWN


_KNOWN = frozenset({"bool", "bytes", "dict", "float", "frozenset", "int", "list", "None", "set", "str", "tuple"})


def _passed(call: ast.Call, function: Function, name: str, owner: ast.AST | None) -> Iterator[ast.expr]:
    """Yield what a call passes for a parameter, if that is known."""
    places = [parameter.arg for parameter in (*function.args.posonlyargs, *function.args.args)]
    if isinstance(owner, ast.ClassDef) and named_by(call.func) and not _is_static(function):
        places = places[1:]
    for number, value in enumerate(call.args):
        if isinstance(value, ast.Starred):
            break
        if number < len(places) and places[number] == name:
            yield value
    yield from (keyword.value for keyword in call.keywords if keyword.arg == name)


def _is_static(function: Function) -> bool:
    return any(named_by(decorator) == "staticmethod" for decorator in function.decorator_list)
