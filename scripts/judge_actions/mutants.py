"""Make changed copies of a function, which a good test of it must detect."""

import ast
from collections.abc import Iterator
from typing import Final

_SWAPS: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.GtE: ast.Lt,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.In: ast.NotIn,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def mutants_of(text: str, name: str) -> list[str]:
    """Return a module with one function changed: it returns nothing, or one operator is replaced."""
    return [*_empty(text, name), *_swapped(text, name)]


def _empty(text: str, name: str) -> Iterator[str]:
    tree = ast.parse(text)
    function = _named(tree, name)
    if any(isinstance(node, ast.Return | ast.Yield) and node.value is not None for node in ast.walk(function)):
        function.body = [ast.Return(ast.Constant(None))]
        yield ast.unparse(ast.fix_missing_locations(tree))


def _swapped(text: str, name: str) -> Iterator[str]:
    count = sum(1 for _ in _places(_named(ast.parse(text), name)))
    for number in range(count):
        tree = ast.parse(text)
        holder, field, at = list(_places(_named(tree, name)))[number]
        old = getattr(holder, field)
        if at is None:
            setattr(holder, field, _SWAPS[type(old)]())
        else:
            old[at] = _SWAPS[type(old[at])]()
        yield ast.unparse(ast.fix_missing_locations(tree))


def _places(function: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    for node in ast.walk(function):
        if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in _SWAPS:
            yield node, "op", None
        elif isinstance(node, ast.Compare):
            yield from ((node, "ops", number) for number, op in enumerate(node.ops) if type(op) in _SWAPS)


def _named(tree: ast.Module, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    functions = (statement for statement in tree.body if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef))
    return next(function for function in functions if function.name == name)
