"""Build the control-flow graph of a Python scope. Pure; has nothing to do with edits."""

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence

from spark_lsp.actions.python.analysis.context_managers import NO_MANAGERS, may_suppress
from spark_lsp.actions.python.analysis.expressions import Expressions
from spark_lsp.actions.python.analysis.flow_graph import ControlFlowGraph, FinalStep, GraphBuilder, Loop
from spark_lsp.actions.python.analysis.scopes import annotations, evaluated_at_definition, names_of, type_parameters


def control_flow_of(
    scope: ast.AST, marked: Sequence[ast.AST] = (), managers: Mapping[str, bool] = NO_MANAGERS
) -> ControlFlowGraph:
    """Build the graph of a module, function or lambda; ``marked`` are consecutive statements or one expression.

    ``managers`` has the document's context managers by name, and whether they may suppress an error.
    """
    graph = GraphBuilder(marked)
    graph.add("join")
    if isinstance(scope, ast.Lambda):
        Expressions(graph).expression(scope.body)
    else:
        _Statements(graph, managers).block(getattr(scope, "body", []))
    graph.leave("return")
    return ControlFlowGraph(graph.points)


class _Statements:
    """Adds statements in the order in which they run."""

    def __init__(self, graph: GraphBuilder, managers: Mapping[str, bool]) -> None:
        self._graph = graph
        self._managers = managers
        self._read = Expressions(graph)
        self._how: dict[str, Callable[..., None]] = {
            "Assign": self._assign,
            "AnnAssign": self._annotated,
            "AugAssign": self._augmented,
            "Delete": self._delete,
            "Return": self._return,
            "Raise": self._raise,
            "Break": self._break,
            "Continue": self._continue,
            "If": self._if,
            "Assert": self._assert,
            "While": self._while,
            "For": self._for,
            "AsyncFor": self._for,
            "With": self._with,
            "AsyncWith": self._with,
            "Try": self._try,
            "TryStar": self._try,
            "Match": self._match,
            "Import": self._import,
            "ImportFrom": self._import,
            "FunctionDef": self._define,
            "AsyncFunctionDef": self._define,
            "ClassDef": self._class,
            "TypeAlias": self._alias,
        }

    def block(self, statements: Iterable[ast.stmt]) -> None:
        """Add statements one after another."""
        for statement in statements:
            self._graph.add("join", statement)
            self._graph.marking(statement, self._statement)

    def _statement(self, node: ast.AST) -> None:
        handler = self._how.get(type(node).__name__)
        if handler is not None:
            handler(node)
        elif not isinstance(node, ast.Pass | ast.Global | ast.Nonlocal):
            self._read.children(node)
            self._graph.add("effect", node)

    def _assign(self, node: ast.Assign) -> None:
        self._read.expression(node.value)
        for target in node.targets:
            self._read.target(target)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._read.expression(node.value)
            self._read.target(node.target)

    def _augmented(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._read.use(node.target)
        else:
            self._read.children(node.target)
            self._graph.add("load", node.target)
        self._read.expression(node.value)
        self._graph.add("effect", node)
        if isinstance(node.target, ast.Name):
            self._graph.add("bind", node.target, node.target.id)

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._read.target(target)

    def _return(self, node: ast.Return) -> None:
        if node.value is not None:
            self._read.expression(node.value)
        self._graph.leave("return")

    def _raise(self, node: ast.Raise) -> None:
        self._read.children(node)
        self._graph.add("effect", node)
        self._graph.frontier = []

    def _break(self, _node: ast.Break) -> None:
        self._graph.leave("break")

    def _continue(self, _node: ast.Continue) -> None:
        self._graph.leave("continue")

    def _if(self, node: ast.If) -> None:
        self._read.test(node.test)
        self._graph.branch(lambda: self.block(node.body), lambda: self.block(node.orelse))

    def _assert(self, node: ast.Assert) -> None:
        self._read.test(node.test)

        def fails() -> None:
            if node.msg is not None:
                self._read.expression(node.msg)
            self._graph.add("effect", node)
            self._graph.frontier = []

        self._graph.branch(fails, lambda: None)
        self._graph.add("load", node)

    def _while(self, node: ast.While) -> None:
        loop = Loop(self._graph.add("join"))
        self._read.test(node.test)
        ends = list(self._graph.frontier)
        self._graph.around.append(loop)
        self.block(node.body)
        self._graph.around.pop()
        self._graph.connect(loop.head)
        is_endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        self._graph.frontier = [] if is_endless else ends
        self.block(node.orelse)
        self._graph.frontier = [*self._graph.frontier, *loop.broken]

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self._read.expression(node.iter)
        loop = Loop(self._graph.add("effect", node))
        ends = list(self._graph.frontier)
        self._graph.around.append(loop)
        self._read.target(node.target)
        self.block(node.body)
        self._graph.around.pop()
        self._graph.connect(loop.head)
        self._graph.frontier = ends
        self.block(node.orelse)
        self._graph.frontier = [*self._graph.frontier, *loop.broken]

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        self._with_items(node, node.items)

    def _with_items(self, node: ast.With | ast.AsyncWith, items: list[ast.withitem]) -> None:
        item = items[0]
        self._read.expression(item.context_expr)
        self._graph.add("effect", item.context_expr)

        def body() -> None:
            if item.optional_vars is not None:
                self._read.target(item.optional_vars)
            if items[1:]:
                self._with_items(node, items[1:])
            else:
                self.block(node.body)

        last = FinalStep(lambda: self._read.effect(item))
        self._graph.guarded(last, body, suppresses=may_suppress(item.context_expr, self._managers))

    def _try(self, node: ast.Try) -> None:
        if node.finalbody:
            last = FinalStep(lambda: self.block(node.finalbody))
            self._graph.guarded(last, lambda: self._attempt(node), suppresses=False)
        else:
            self._attempt(node)

    def _attempt(self, node: ast.Try) -> None:
        outer = self._graph.guard
        caught = self._graph.loose() if node.handlers else outer
        self._graph.guard = caught
        self.block(node.body)
        self._graph.guard = outer
        self.block(node.orelse)
        if not node.handlers:
            return
        ends = self._graph.frontier
        start = [caught]
        for handler in node.handlers:
            self._graph.frontier = list(start)
            if handler.type is not None:
                self._read.expression(handler.type)
                self._graph.add("load", handler)
                start = list(self._graph.frontier)
            else:
                start = []
            self._caught(handler)
            ends = [*ends, *self._graph.frontier]
        self._graph.frontier = start
        self._graph.connect(outer)
        self._graph.frontier = ends

    def _caught(self, handler: ast.ExceptHandler) -> None:
        name = handler.name
        if name is None:
            self.block(handler.body)
            return
        self._graph.add("bind", handler, name)
        forget = FinalStep(lambda: self._forget(handler, name))
        self._graph.guarded(forget, lambda: self.block(handler.body), suppresses=False)

    def _forget(self, handler: ast.ExceptHandler, name: str) -> None:
        self._graph.add("unbind", handler, name)

    def _match(self, node: ast.Match) -> None:
        self._read.expression(node.subject)
        ends: list[int] = []
        for case in node.cases:
            start = list(self._graph.frontier)
            self._graph.add("effect", case)  # a pattern calls __eq__, keys and class attributes
            failed = [*start, *self._graph.frontier]
            self._pattern(case.pattern)
            if case.guard is not None:
                self._read.test(case.guard)
                failed += self._graph.frontier
            self.block(case.body)
            ends += self._graph.frontier
            is_last = isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None
            self._graph.frontier = [] if is_last else failed
        self._graph.frontier = [*ends, *self._graph.frontier]

    def _pattern(self, pattern: ast.pattern) -> None:
        for node in ast.walk(pattern):
            if isinstance(node, ast.expr):
                if isinstance(node, ast.Name):
                    self._read.use(node)
                continue
            name = getattr(node, "rest", None) if isinstance(node, ast.MatchMapping) else getattr(node, "name", None)
            if name:
                self._graph.add("bind", node, name)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self._graph.add("effect", node)
        for alias in node.names:
            name = alias.asname or (alias.name.split(".")[0] if isinstance(node, ast.Import) else alias.name)
            self._graph.add("bind", alias, name)

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._read.expressions(evaluated_at_definition(node))
        self._read.hidden.append(type_parameters(node))
        self._read.expressions(annotations(node))
        self._read.hidden.pop()
        self._read.capture(node)
        if node.decorator_list:
            self._graph.add("effect", node)
        self._graph.add("bind", node, node.name)

    def _class(self, node: ast.ClassDef) -> None:
        self._read.expressions(evaluated_at_definition(node))
        for name in sorted(names_of(node).free):
            self._graph.add("use", node, name)
        self._read.capture(node)
        self._graph.add("effect", node)
        self._graph.add("bind", node, node.name)

    def _alias(self, node: ast.stmt) -> None:
        """Bind the name of a ``type`` statement (Python 3.12); its value is evaluated on first use."""
        for name in sorted(names_of(node).used):
            self._graph.add("capture", node, name)
        self._read.target(node.name)  # type: ignore[attr-defined]
