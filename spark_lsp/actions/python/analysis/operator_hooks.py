"""Treat attributes and operators as effects if they run code of the document that changes something. Pure.

Examples are a property that counts, an ``__eq__`` that prints, an iterator. Objects of other files are assumed to
change nothing.
"""

import ast
from collections.abc import Iterator
from typing import Final

from spark_lsp.actions.python.analysis.flow_graph import ControlFlowGraph
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import named_by

ANY_ATTRIBUTE: Final = frozenset({"__get__", "__getattr__", "__getattribute__"})
_TEXT: Final = frozenset({"__format__", "__repr__", "__str__"})
_TRUTH: Final = frozenset({"__bool__", "__len__"})
_ITERATION: Final = frozenset({"__iter__", "__next__"})
_KEYS: Final = frozenset({"__eq__", "__hash__"})
_COMPARISONS: Final[dict[type[ast.cmpop], frozenset[str]]] = {
    ast.Eq: frozenset({"__eq__"}),
    ast.NotEq: frozenset({"__eq__", "__ne__"}),
    ast.Lt: frozenset({"__lt__", "__gt__"}),
    ast.Gt: frozenset({"__lt__", "__gt__"}),
    ast.LtE: frozenset({"__le__", "__ge__"}),
    ast.GtE: frozenset({"__le__", "__ge__"}),
    ast.In: frozenset({"__contains__", "__eq__"}) | _ITERATION,
    ast.NotIn: frozenset({"__contains__", "__eq__"}) | _ITERATION,
    ast.Is: frozenset(),
    ast.IsNot: frozenset(),
}
_CONSTRUCTORS: Final = frozenset({"__del__", "__enter__", "__exit__", "__init__", "__init_subclass__", "__new__"})
_OPERATORS: Final[dict[type[ast.AST], str]] = {
    ast.Add: "add",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Invert: "invert",
    ast.LShift: "lshift",
    ast.MatMult: "matmul",
    ast.Mod: "mod",
    ast.Mult: "mul",
    ast.Pow: "pow",
    ast.RShift: "rshift",
    ast.Sub: "sub",
    ast.UAdd: "pos",
    ast.USub: "neg",
}
_METHODS: Final[tuple[tuple[tuple[type[ast.AST], ...], frozenset[str]], ...]] = (
    ((ast.Subscript,), frozenset({"__getitem__", "__class_getitem__", "__missing__"}) | _KEYS),
    ((ast.FormattedValue,), _TEXT),
    ((ast.Dict, ast.Set), _KEYS | _ITERATION),
    ((ast.List, ast.Starred, ast.Tuple), _ITERATION),
)
_CHANGING: Final = frozenset(
    {
        *("add", "append", "appendleft", "clear", "delattr", "discard", "exec", "extend", "input", "insert", "next"),
        *("open", "pop", "popitem", "popleft", "print", "put", "read", "readline", "remove", "reverse", "send"),
        *("setattr", "setdefault", "sort", "update", "write"),
    }
)
"""Names of calls that change something."""
MAX_STEPS: Final = 3


def hooked(graph: ControlFlowGraph, source: Source) -> ControlFlowGraph:
    """Turn nodes that may run such code of the document into effects; return the graph."""
    hooks = frozenset(_hooks(source))
    called = hooks - _CONSTRUCTORS
    for point in graph.points if hooks else ():
        if point.kind not in {"load", "ask"} or point.node is None:
            continue
        is_called = isinstance(point.node, ast.Call)  # a builtin may run any of them
        if called if is_called else hooks & _run_by(point.node):
            point.kind = "effect"
    return graph


def _hooks(source: Source) -> Iterator[str]:
    """Yield the special methods and the properties of the document that change something."""
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        if not isinstance(source.parent(function), ast.ClassDef):
            continue
        is_special = function.name.startswith("__") and function.name.endswith("__")
        is_property = any("property" in named_by(decorator) for decorator in function.decorator_list)
        if (is_special or is_property) and _changes(function, functions, MAX_STEPS):
            yield function.name if is_special else f".{function.name}"


def _changes(function: ast.FunctionDef, functions: list[ast.FunctionDef], steps: int) -> bool:
    """Whether a function visibly changes something besides its own variables."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            return True
        if isinstance(node, ast.Global | ast.Nonlocal | ast.Await | ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.Call):
            continue
        called = named_by(node.func)
        if called in _CHANGING:
            return True
        callees = [candidate for candidate in functions if candidate.name == called and candidate is not function]
        if any(steps == 0 or _changes(callee, functions, steps - 1) for callee in callees):
            return True
    return False


def _run_by(node: ast.AST) -> frozenset[str]:
    """Return the methods that a node may run besides its parts, a property as ``.name``."""
    if isinstance(node, ast.Attribute):
        return ANY_ATTRIBUTE | {f".{node.attr}"}
    if isinstance(node, ast.Compare):
        return frozenset[str]().union(_TRUTH, *(_COMPARISONS[type(operator)] for operator in node.ops))
    if isinstance(node, ast.BinOp):
        name = _OPERATORS[type(node.op)]
        return frozenset({f"__{name}__", f"__r{name}__"}) | (_TEXT if isinstance(node.op, ast.Mod) else frozenset())
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
        return frozenset({f"__{_OPERATORS[type(node.op)]}__"})
    return next((methods for kinds, methods in _METHODS if isinstance(node, kinds)), _TRUTH)
