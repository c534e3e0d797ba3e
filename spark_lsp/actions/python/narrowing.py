"""Find the type of a name at a selection after conditions have narrowed its declared type. Pure."""

import ast
from collections.abc import Iterator
from typing import Final

from spark_lsp.actions.python.analysis.selection import Piece
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import nodes_of

_FIXED: Final = frozenset({"bytes", "complex", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple"})
"""Types that no condition makes narrower."""
_LEAVES: Final = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def may_be_narrowed(annotation: ast.expr) -> bool:
    """Whether a condition or an assignment may narrow the type of a name below its annotation."""
    core = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return not (isinstance(core, ast.Name) and core.id in _FIXED)


def narrowed_type(source: Source, piece: Piece, name: str, annotation: ast.expr) -> ast.expr | None:
    """Return the certain type of a name where a selection starts; None if it is not plain."""
    if not may_be_narrowed(annotation):
        return annotation
    own = {id(descendant) for node in piece.nodes for descendant in ast.walk(node)}
    outside = [node for node in nodes_of(piece.scope) if id(node) not in own]
    if any(_binds_again(source, node, name, annotation) for node in outside):
        return None
    tests = [test for node in outside for test in _tests(node) if _mentions(test, name)]
    for test in tests:
        kind = _after(source, piece, test, name, annotation)
        if kind is None:
            return None
        annotation = kind
    return annotation


def _binds_again(source: Source, node: ast.AST, name: str, annotation: ast.expr) -> bool:
    if not isinstance(node, ast.Name) or node.id != name or isinstance(node.ctx, ast.Load):
        return False
    holder = source.parent(node)
    return not (isinstance(holder, ast.AnnAssign) and holder.annotation is annotation and holder.value is None)


def _tests(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the conditions that a node tests."""
    if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
        yield node.test
    elif isinstance(node, ast.comprehension):
        yield from node.ifs
    elif isinstance(node, ast.BoolOp):
        yield from node.values
    elif isinstance(node, ast.Match):
        yield node.subject


def _mentions(test: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(test))


def _after(source: Source, piece: Piece, test: ast.expr, name: str, kind: ast.expr) -> ast.expr | None:
    """Return the type at the selection after a condition was tested; None if it is not plain."""
    holder = source.parent(test)
    if not isinstance(holder, ast.If):
        return None
    first = piece.nodes[0]
    around = {id(parent) for _child, parent in source.around(first)} | {id(first)}
    in_body = any(id(statement) in around for statement in holder.body)
    in_else = any(id(statement) in around for statement in holder.orelse)
    leaves = isinstance(holder.body[-1], _LEAVES)
    is_behind = not in_body and not in_else and first.lineno > (holder.end_lineno or holder.lineno)
    if first.lineno < holder.lineno and not in_body and not in_else:
        return kind
    if not (in_body or in_else or (is_behind and leaves)):
        return None
    return _kind_if(test, name, kind, holds=in_body)


def _kind_if(test: ast.expr, name: str, kind: ast.expr, *, holds: bool) -> ast.expr | None:
    """Return the type of a name if a plain condition holds, or does not."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _kind_if(test.operand, name, kind, holds=not holds)
    parts = list(_parts(kind))
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and _is_none(test.comparators[0]):
        is_none = isinstance(test.ops[0], ast.Is) == holds
        is_plain = isinstance(test.left, ast.Name) and isinstance(test.ops[0], ast.Is | ast.IsNot)
        left = [part for part in parts if _is_none(part) == is_none]
        return _union(left) if is_plain and left else None
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id == "isinstance":
        return _kind_of_class(test, parts, holds=holds)
    return None


def _kind_of_class(test: ast.Call, parts: list[ast.expr], *, holds: bool) -> ast.expr | None:
    """Return what ``isinstance`` leaves of a union of plain types."""
    if len(test.args) != 2 or not isinstance(test.args[0], ast.Name):
        return None
    asked = {node.id for node in ast.walk(test.args[1]) if isinstance(node, ast.Name)}
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    is_plain = asked | names <= _FIXED and all(isinstance(part, ast.Name) or _is_none(part) for part in parts)
    left = [part for part in parts if (isinstance(part, ast.Name) and part.id in asked) == holds]
    return _union(left) if is_plain and left else None


def _parts(kind: ast.expr) -> Iterator[ast.expr]:
    if isinstance(kind, ast.BinOp) and isinstance(kind.op, ast.BitOr):
        yield from _parts(kind.left)
        yield from _parts(kind.right)
    elif isinstance(kind, ast.Subscript) and isinstance(kind.value, ast.Name) and kind.value.id == "Optional":
        yield kind.slice
        yield ast.Constant(None)
    elif isinstance(kind, ast.Subscript) and isinstance(kind.value, ast.Name) and kind.value.id == "Union":
        yield from kind.slice.elts if isinstance(kind.slice, ast.Tuple) else [kind.slice]
    else:
        yield kind


def _union(parts: list[ast.expr]) -> ast.expr:
    union = parts[0]
    for part in parts[1:]:
        union = ast.BinOp(union, ast.BitOr(), part)
    return union


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
