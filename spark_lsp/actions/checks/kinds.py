"""What type an expression of a Python function has, where the file says so plainly. Pure.

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
"""Types by what is written: ``self.cents``, ``self.sign()``, ``total()``."""


def kinds_of(tree: ast.Module, function: Function, owner: ast.ClassDef | None) -> Kinds:
    """Return what the file says of the types of names that a function may use."""
    classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.decorator_list:
            found[f"{node.name}()"] = _plain(node.returns, classes)
    for name, held in _objects(function, owner, classes):
        for node in held.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[f"{name}.{node.target.id}"] = _plain(node.annotation, classes)
            elif isinstance(node, ast.FunctionDef) and not node.decorator_list:
                found[f"{name}.{node.name}()"] = _plain(node.returns, classes)
    stored = {each.id for each in ast.walk(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return {said: kind for said, kind in found.items() if kind and said.split(".")[0].rstrip("()") not in stored}


def classes_of(function: Function, owner: ast.ClassDef | None, tree: ast.Module) -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield the names that stand for objects of a class of the file: ``self``, and parameters that say so."""
    return _objects(function, owner, {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)})


def _objects(
    function: Function, owner: ast.ClassDef | None, classes: Mapping[str, ast.ClassDef]
) -> Iterator[tuple[str, ast.ClassDef]]:
    given = parameters(function)
    if owner is not None and given and not is_static(function):
        yield given[0].arg, owner
    for each in given:
        named = _plain(each.annotation, classes) if each.annotation is not None else ""
        if named in classes and not (function.args.vararg is each or function.args.kwarg is each):
            yield each.arg, classes[named]


def _plain(node: ast.expr | None, classes: Mapping[str, ast.ClassDef]) -> str:
    """Return the one name of an annotation, if it is that of a plain type or of a class of the file."""
    said = dotted(node) if node is not None else ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        said = node.value.strip("'\" ")
    if isinstance(node, ast.Subscript):
        said = dotted(node.value)
    return said if said in PLAIN or said in classes else ""


def kind_of(node: ast.expr, kinds: Kinds) -> str:
    """Return the type of an expression; empty where it is not plain."""
    if isinstance(node, ast.Constant):
        return "None" if node.value is None else type(node.value).__name__
    found = _LITERALS.get(type(node), "")
    if isinstance(node, ast.Compare):
        sure = all(isinstance(each, ast.Is | ast.IsNot | ast.In | ast.NotIn) for each in node.ops)
        found = "bool" if sure else ""
    elif isinstance(node, ast.UnaryOp):
        found = "bool" if isinstance(node.op, ast.Not) else kind_of(node.operand, kinds)
    elif isinstance(node, ast.Attribute):
        found = kinds.get(dotted(node), "")
    elif isinstance(node, ast.Call):
        found = kinds.get(f"{dotted(node.func)}()", "")
    elif isinstance(node, ast.IfExp):
        one, other = kind_of(node.body, kinds), kind_of(node.orelse, kinds)
        found = one if one == other else ""
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
        left, right = kind_of(node.left, kinds), kind_of(node.right, kinds)
        found = left if left == right and left in _ADDED else ""
    return found


def attributes_of(tree: ast.Module, owner: ast.ClassDef, seen: frozenset[str] = frozenset()) -> set[str] | None:
    """Return the names that objects of a class have; None where not all of them can be known."""
    if owner.keywords or owner.name in seen or not all(_adds_nothing(each) for each in owner.decorator_list):
        return None
    found: set[str] = set()
    for base in owner.bases:
        above = next((each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == dotted(base)), None)
        more = attributes_of(tree, above, seen | {owner.name}) if above is not None else None
        if dotted(base) != "object" and more is None:
            return None
        found |= more or set()
    for node in ast.walk(owner):
        if isinstance(node, (*FUNCTION_TYPES, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)  # of ``__slots__``
    is_open = {"__getattr__", "__getattribute__"} & found
    sets = any(isinstance(each, ast.Call) and dotted(each.func) == "setattr" for each in ast.walk(owner))
    return None if is_open or sets else found


def _adds_nothing(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return dotted(called) in {"dataclass", "dataclasses.dataclass", "final", "total_ordering"}
