"""Add an expression to the control-flow graph in Python's evaluation order. Pure."""

import ast
from collections.abc import Callable, Iterable
from typing import Final

from spark_lsp.actions.python.analysis.flow_graph import GraphBuilder
from spark_lsp.actions.python.analysis.node_kinds import EXPRESSIONS
from spark_lsp.actions.python.analysis.scopes import (
    COMPREHENSIONS,
    Comprehension,
    captured_names,
    evaluated_at_definition,
    target_names,
)

_TAKES_ALL: Final = frozenset(
    {"all", "any", "bytes", "dict", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple"}
)
"""Builtins that exhaust a generator, or call ``key``, before they return."""


class Expressions:
    """Adds expressions and assignment targets; ``hidden`` are the loop names of enclosing comprehensions."""

    def __init__(self, graph: GraphBuilder) -> None:
        self._graph = graph
        self.hidden: list[set[str]] = []
        self._how: dict[str, Callable[..., None]] = {
            "Name": self.use,
            "Dict": self._dict,
            "Attribute": self._reading,
            "Subscript": self._reading,
            "Starred": self._reading,
            "Await": self._waiting,
            "Yield": self._waiting,
            "YieldFrom": self._waiting,
            "Call": self._call,
            "NamedExpr": self._named,
            "BoolOp": self._boolean,
            "IfExp": self._conditional,
            "Compare": self._compare,
            "Lambda": self._later,
        }

    def expressions(self, nodes: Iterable[ast.expr]) -> None:
        """Add expressions one after another."""
        for node in nodes:
            self.expression(node)

    def expression(self, node: ast.AST) -> None:
        """Add an expression."""
        self._graph.marking(node, self._evaluate)

    def _evaluate(self, node: ast.AST) -> None:
        handler = self._how.get(type(node).__name__)
        if handler is not None:
            handler(node)
        elif isinstance(node, COMPREHENSIONS):
            self._comprehend(node)
        else:
            self.children(node)
            effect = EXPRESSIONS.get(type(node).__name__, "anything")
            if effect != "nothing" and not isinstance(node, ast.keyword):
                self._graph.add("load" if effect == "reads" else "effect", node)

    def test(self, node: ast.expr) -> None:
        """Add an expression whose truth is tested; anything but a name has added a node of its own."""
        self.expression(node)
        named = node.target if isinstance(node, ast.NamedExpr) else node
        if isinstance(named, ast.Name):
            self._graph.add("ask", named, named.id)

    def children(self, node: ast.AST) -> None:
        """Add the direct children of a node."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr | ast.keyword | ast.slice):
                self.expression(child)

    def _dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                self.expression(key)
            self.expression(value)
        self._graph.add("load", node)

    def effect(self, node: ast.AST) -> None:
        """Add an effect of unknown extent."""
        self._graph.add("effect", node)

    def use(self, node: ast.Name) -> None:
        """Add the reading of a name."""
        is_inner = any(node.id in hidden for hidden in self.hidden)
        self._graph.add("inner" if is_inner else "use", node, node.id)

    def _reading(self, node: ast.Attribute | ast.Subscript | ast.Starred) -> None:
        self.children(node)
        self._graph.add("load", node)

    def _waiting(self, node: ast.Await | ast.Yield | ast.YieldFrom) -> None:
        self.children(node)
        self._graph.add("effect", node)

    def _call(self, node: ast.Call) -> None:
        self.expression(node.func)
        is_complete = _runs_at_once(node.func)
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            if is_complete and isinstance(argument, ast.GeneratorExp):
                self._graph.marking(argument, lambda child: self._comprehend(child, at_once=True))
            elif is_complete and isinstance(argument, ast.Lambda):
                self._graph.marking(argument, self._called_at_once)
            else:
                self.expression(argument)
        self._graph.add("effect", node)

    def _called_at_once(self, node: ast.AST) -> None:
        assert isinstance(node, ast.Lambda), "the caller has looked"
        self.expressions(evaluated_at_definition(node))
        for name in sorted(captured_names(node)):
            self._graph.add("use", node, name)

    def _named(self, node: ast.NamedExpr) -> None:
        self.expression(node.value)
        self._graph.add("bind", node.target, node.target.id)

    def _boolean(self, node: ast.BoolOp) -> None:
        self.test(node.values[0])
        ends = list(self._graph.frontier)
        for value in node.values[1:]:
            self.test(value)
            ends += self._graph.frontier
        self._graph.frontier = ends

    def _conditional(self, node: ast.IfExp) -> None:
        self.test(node.test)
        self._graph.branch(lambda: self.expression(node.body), lambda: self.expression(node.orelse))

    def _compare(self, node: ast.Compare) -> None:
        self.expression(node.left)
        ends: list[int] = []
        for number, comparator in enumerate(node.comparators):
            self.expression(comparator)
            self._graph.add("load", node)
            ends = list(self._graph.frontier) if number == 0 else [*ends, *self._graph.frontier]
        self._graph.frontier = ends

    def _later(self, node: ast.Lambda) -> None:
        self.expressions(evaluated_at_definition(node))
        self.capture(node)

    def capture(self, node: ast.AST) -> None:
        """Add a closure over the names that a node reads later."""
        for name in sorted(captured_names(node)):
            is_inner = any(name in hidden for hidden in self.hidden)
            self._graph.add("inner" if is_inner else "capture", node, name)

    def _comprehend(self, node: ast.AST, *, at_once: bool = False) -> None:
        assert isinstance(node, COMPREHENSIONS), "the caller has looked"
        self.expression(node.generators[0].iter)
        if isinstance(node, ast.GeneratorExp) and not at_once:
            self.capture(node)
            return
        self.hidden.append(target_names(generator.target for generator in node.generators))
        self._iterate(node, 0)
        self.hidden.pop()

    def _iterate(self, node: Comprehension, number: int) -> None:
        generator = node.generators[number]
        if number:
            self.expression(generator.iter)
        head = self._graph.add("effect", generator)
        ends = list(self._graph.frontier)
        for condition in generator.ifs:
            self.test(condition)
            self._graph.connect(head)
        if number + 1 < len(node.generators):
            self._iterate(node, number + 1)
        else:
            self.expressions([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self._graph.connect(head)
        self._graph.frontier = ends

    def target(self, node: ast.AST) -> None:
        """Add the assignment to a target, or its deletion."""
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Del):
                self._graph.add("use", node, node.id)
                self._graph.add("unbind", node, node.id)
            elif not any(node.id in hidden for hidden in self.hidden):
                self._graph.add("bind", node, node.id)
        elif isinstance(node, ast.Tuple | ast.List):
            self._graph.add("load", node)
            for element in node.elts:
                self.target(element)
        elif isinstance(node, ast.Starred):
            self.target(node.value)
        else:
            self.children(node)
            self._graph.add("effect", node)


def _runs_at_once(function: ast.expr) -> bool:
    """Whether a call exhausts its generators, and calls its functions, before it returns."""
    if isinstance(function, ast.Attribute):
        is_text = isinstance(function.value, ast.Constant) and isinstance(function.value.value, str | bytes)
        return function.attr == "sort" or (function.attr == "join" and is_text)
    return isinstance(function, ast.Name) and function.id in _TAKES_ALL
