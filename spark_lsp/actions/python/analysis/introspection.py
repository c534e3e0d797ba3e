"""Find where a Python file lists the names of a module or a class, and which new names the list would contain. Pure.

``vars``, ``dir``, ``__dict__``, ``getmembers`` and, in a module itself, ``globals`` and ``locals`` return all names.
Using them to look up a single name is no listing.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import named_by
from spark_lsp.actions.refusal import Refusal

LISTERS: Final = ("__dict__", "dir", "getmembers", "getmembers_static", "vars")
"""Functions that list the names of their argument."""
_OWN_LISTERS: Final = frozenset({"dir", "globals", "locals", "vars"})
"""Functions that list the names at the place of the call; ``globals`` always those of the module."""
_ASKS_FOR_ONE: Final = frozenset({"get", "pop", "setdefault", "update", "__contains__", "__getitem__", "__setitem__"})
_READS_BY_NAME: Final = frozenset({"eval", "exec", "get_type_hints", "__import__"})
_FUNCTIONS_ARE: Final = frozenset({"Callable", "FunctionType", "Hashable", "MethodType", "object"})
_KEEPS_ALL: Final = frozenset({"copy", "dict", "items", "iter", "keys", "list", "sorted", "tuple"})
"""Calls that return the names they receive, in the same or another order."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Code that would see a new name. ``refusal`` says where any would be seen, ``public`` where one without ``_``."""

    refusal: Refusal | None = None
    public: bool = False


def seen_in(
    path: str, source: Source, is_it: Callable[[ast.expr], bool], what: str, *, is_own: bool, is_function: bool
) -> Seen:
    """Return what in a file would see a new name of the module or class that ``is_it`` recognises."""
    public = False
    for listing in listings(source, is_it, is_own=is_own):
        if is_function and not listing.functions:
            continue
        if listing.private:
            message = f"{path}:{listing.line} lists the names of the {what}, where a new name would appear."
            return Seen(Refusal("reflection", message, assumption="reflection"))
        public = True
    return Seen(public=public)


@dataclass(frozen=True, slots=True)
class Listing:
    """A place that lists names. ``private`` if those with a leading ``_`` are included, ``functions`` likewise."""

    line: int
    private: bool
    functions: bool


def listings(source: Source, is_it: Callable[[ast.expr], bool], *, is_own: bool) -> Iterator[Listing]:
    """Yield where a file lists the names of what ``is_it`` recognises; ``is_own`` for the module's own file."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call | ast.Attribute):
            continue
        listed = subject(node)
        is_listed = is_it(listed) if listed is not None else is_own and _lists_around(source, node)
        if is_listed and not _asks_for_one(source, node):
            yield _listing(source, node)


def subject(node: ast.AST) -> ast.expr | None:
    """Return the object whose names an expression lists, None if it lists none or those around it."""
    if isinstance(node, ast.Attribute):
        return node.value if node.attr == "__dict__" and isinstance(node.ctx, ast.Load) else None
    if isinstance(node, ast.Call) and node.args and named_by(node.func) in LISTERS:
        return node.args[0]
    return None


def _lists_around(source: Source, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or node.args or not isinstance(node.func, ast.Name):
        return False
    name = node.func.id
    return name in _OWN_LISTERS and (name == "globals" or isinstance(source.scope_of(node), ast.Module))


def _asks_for_one(source: Source, node: ast.expr) -> bool:
    """Whether other names make no difference, because a lookup is by a literal name."""
    around = source.parent(node)
    if isinstance(around, ast.Subscript):
        return around.value is node
    if isinstance(around, ast.Attribute):
        return around.attr in _ASKS_FOR_ONE and isinstance(source.parent(around), ast.Call)
    if isinstance(around, ast.Compare):
        return around.left is not node and all(isinstance(operator, ast.In | ast.NotIn) for operator in around.ops)
    if isinstance(around, ast.Call):
        return named_by(around.func) in _READS_BY_NAME
    return isinstance(around, ast.Expr)


def _listing(source: Source, node: ast.Call | ast.Attribute) -> Listing:
    """Follow a list of names: conditions in the loop over it exclude names."""
    conditions, name = _loop(source, node)
    predicate = node.args[1] if isinstance(node, ast.Call) and len(node.args) > 1 else None
    no_functions = (predicate is not None and named_by(predicate) == "isclass") or any(map(_is_of_others, conditions))
    return Listing(node.lineno, not any(_leaves_private(condition, name) for condition in conditions), not no_functions)


def _loop(source: Source, node: ast.AST) -> tuple[list[ast.expr], str]:
    """Return the conditions that an element must meet first, and the loop variable with its name."""
    gives_names = True
    for child, parent in source.around(node):
        if isinstance(parent, ast.Attribute) and parent.attr in {*_KEEPS_ALL, "values"}:
            gives_names = parent.attr != "values"
        elif isinstance(parent, ast.Call) and (parent.func is child or named_by(parent.func) in _KEEPS_ALL):
            continue
        elif isinstance(parent, ast.comprehension) and parent.iter is child:
            return [part for condition in parent.ifs for part in _parts(condition)], _name(parent.target, gives_names)
        elif isinstance(parent, ast.For | ast.AsyncFor) and parent.iter is child:
            return _first_conditions(parent), _name(parent.target, gives_names)
        else:
            break
    return [], ""


def _name(target: ast.expr, gives_names: bool) -> str:
    if isinstance(target, ast.Tuple) and target.elts:
        target = target.elts[0]
    return target.id if gives_names and isinstance(target, ast.Name) else ""


def _first_conditions(loop: ast.For | ast.AsyncFor) -> list[ast.expr]:
    """Return the conditions of the elements for which a loop has an effect."""
    conditions: list[ast.expr] = []
    for statement in loop.body:
        if not isinstance(statement, ast.If) or statement.orelse:
            break
        if isinstance(statement.body[0], ast.Continue):
            conditions += _parts(ast.UnaryOp(ast.Not(), statement.test))
            continue
        if statement is loop.body[-1]:
            conditions += _parts(statement.test)
        break
    return conditions


def _parts(condition: ast.expr) -> Iterator[ast.expr]:
    """Yield conditions that all have to hold: ``not (a or b)`` is ``not a`` and ``not b``."""
    if isinstance(condition, ast.BoolOp) and isinstance(condition.op, ast.And):
        for value in condition.values:
            yield from _parts(value)
        return
    inner = condition.operand if isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not) else None
    if isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.Not):
        yield from _parts(inner.operand)
    elif isinstance(inner, ast.BoolOp) and isinstance(inner.op, ast.Or):
        for value in inner.values:
            yield from _parts(ast.UnaryOp(ast.Not(), value))
    else:
        yield condition


def _leaves_private(condition: ast.expr, name: str) -> bool:
    """Whether a condition excludes lower-case names with a leading ``_``."""
    is_not = isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not)
    if isinstance(condition, ast.UnaryOp) and is_not:
        condition = condition.operand
    if isinstance(condition, ast.Compare) and len(condition.ops) == 1:
        first, sign = condition.left, condition.comparators[0]
        is_first = isinstance(first, ast.Subscript) and ast.unparse(first) in {f"{name}[0]", f"{name}[:1]"}
        is_line = isinstance(sign, ast.Constant) and sign.value == "_"
        return bool(name) and is_first and is_line and isinstance(condition.ops[0], ast.Eq if is_not else ast.NotEq)
    if not isinstance(condition, ast.Call) or not isinstance(condition.func, ast.Attribute):
        return False
    if not name or not isinstance(condition.func.value, ast.Name) or condition.func.value.id != name:
        return False
    begins = [
        argument.value
        for argument in condition.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]
    if condition.func.attr == "startswith" and len(begins) == 1 and len(condition.args) == 1:
        return begins[0] == "_" if is_not else not begins[0].startswith("_") and bool(begins[0])
    return condition.func.attr == "isupper" and not is_not


def _is_of_others(condition: ast.expr) -> bool:
    """Whether a condition holds for no new function: it selects classes, or marked objects."""
    if not isinstance(condition, ast.Call):
        return False
    asked = named_by(condition.func)
    if asked == "hasattr" and len(condition.args) == 2:
        mark = condition.args[1]
        return isinstance(mark, ast.Constant) and isinstance(mark.value, str) and not mark.value.startswith("__")
    if asked == "isinstance" and len(condition.args) == 2:
        kinds = condition.args[1]
        names = [named_by(element) for element in (kinds.elts if isinstance(kinds, ast.Tuple) else [kinds])]
        return all(name and name not in _FUNCTIONS_ARE for name in names)
    return asked == "isclass"
