"""Infer the type of a Python expression where the file states it. Pure.

Literals, attributes of ``self`` and of parameters whose class the file defines, and calls of annotated functions.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from spark_lsp.actions.checks.functions import FUNCTION_TYPES, Function, dotted, is_static, parameters

PLAIN: Final = frozenset(
    ("int", "str", "float", "bool", "bytes", "list", "dict", "set", "tuple", "complex", "frozenset")
)
_LITERALS: Final[dict[type[ast.expr], str]] = {
    ast.List: "list",
    ast.ListComp: "list",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Set: "set",
    ast.SetComp: "set",
    ast.Tuple: "tuple",
    ast.JoinedStr: "str",
    ast.Lambda: "function",
    ast.GeneratorExp: "generator",
}
_ADDED: Final = frozenset(("int", "str", "float", "bytes", "list", "tuple"))

Kinds = Mapping[str, str]
"""Types by expression text: ``self.cents``, ``self.sign()``, ``total()``."""


def kinds_of(tree: ast.Module, function: Function, owner: ast.ClassDef | None) -> Kinds:
    """Return the types that the file states for names that a function may use."""
    classes = {statement.name: statement for statement in tree.body if isinstance(statement, ast.ClassDef)}
    kinds: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.decorator_list:
            kinds[f"{node.name}()"] = _plain(node.returns, classes)
    for name, held in _objects(function, owner, classes):
        for node in held.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                kinds[f"{name}.{node.target.id}"] = _plain(node.annotation, classes)
            elif isinstance(node, ast.FunctionDef) and not node.decorator_list:
                kinds[f"{name}.{node.name}()"] = _plain(node.returns, classes)
    stored = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return {
        dotted_name: kind
        for dotted_name, kind in kinds.items()
        if kind and dotted_name.split(".")[0].rstrip("()") not in stored
    }


def classes_of(function: Function, owner: ast.ClassDef | None, tree: ast.Module) -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield the names that hold objects of a class of the file: ``self``, and annotated parameters."""
    return _objects(
        function, owner, {statement.name: statement for statement in tree.body if isinstance(statement, ast.ClassDef)}
    )


def _objects(
    function: Function, owner: ast.ClassDef | None, classes: Mapping[str, ast.ClassDef]
) -> Iterator[tuple[str, ast.ClassDef]]:
    given = parameters(function)
    if owner is not None and given and not is_static(function):
        yield given[0].arg, owner
    for parameter in given:
        named = _plain(parameter.annotation, classes) if parameter.annotation is not None else ""
        if named in classes and not (function.args.vararg is parameter or function.args.kwarg is parameter):
            yield parameter.arg, classes[named]


def _plain(node: ast.expr | None, classes: Mapping[str, ast.ClassDef]) -> str:
    """Return the name in an annotation if it is a plain type or a class of the file."""
    annotation = dotted(node) if node is not None else ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        annotation = node.value.strip("'\" ")
    if isinstance(node, ast.Subscript):
        annotation = dotted(node.value)
    return annotation if annotation in PLAIN or annotation in classes else ""


def kind_of(node: ast.expr, kinds: Kinds) -> str:
    """Return the type of an expression; empty if it is not plain."""
    if isinstance(node, ast.Constant):
        return "None" if node.value is None else type(node.value).__name__
    kind = _LITERALS.get(type(node), "")
    if isinstance(node, ast.Compare):
        sure = all(isinstance(operator, ast.Is | ast.IsNot | ast.In | ast.NotIn) for operator in node.ops)
        kind = "bool" if sure else ""
    elif isinstance(node, ast.UnaryOp):
        kind = "bool" if isinstance(node.op, ast.Not) else kind_of(node.operand, kinds)
    elif isinstance(node, ast.Attribute):
        kind = kinds.get(dotted(node), "")
    elif isinstance(node, ast.Call):
        kind = kinds.get(f"{dotted(node.func)}()", "")
    elif isinstance(node, ast.IfExp):
        first, second = kind_of(node.body, kinds), kind_of(node.orelse, kinds)
        kind = first if first == second else ""
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
        left, right = kind_of(node.left, kinds), kind_of(node.right, kinds)
        kind = left if left == right and left in _ADDED else ""
    return kind


def attributes_of(tree: ast.Module, owner: ast.ClassDef, seen: frozenset[str] = frozenset()) -> set[str] | None:
    """Return the attribute names of a class's objects; None if not all can be known."""
    if owner.keywords or owner.name in seen or not all(_adds_nothing(decorator) for decorator in owner.decorator_list):
        return None
    names: set[str] = set()
    for base in owner.bases:
        above = next(
            (
                statement
                for statement in tree.body
                if isinstance(statement, ast.ClassDef) and statement.name == dotted(base)
            ),
            None,
        )
        more = attributes_of(tree, above, seen | {owner.name}) if above is not None else None
        if dotted(base) != "object" and more is None:
            return None
        names |= more or set()
    for node in ast.walk(owner):
        if isinstance(node, (*FUNCTION_TYPES, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)  # of ``__slots__``
    is_open = {"__getattr__", "__getattribute__"} & names
    sets = any(isinstance(node, ast.Call) and dotted(node.func) == "setattr" for node in ast.walk(owner))
    return None if is_open or sets else names


def _adds_nothing(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return dotted(called) in {"dataclass", "dataclasses.dataclass", "final", "total_ordering"}
