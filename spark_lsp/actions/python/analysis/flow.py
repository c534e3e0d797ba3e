"""How control runs through one Python scope, as points joined by edges. Pure; knows nothing of edits."""

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from spark_lsp.actions.python.analysis.expressions import Expressions
from spark_lsp.actions.python.analysis.flow_graph import Flow, Last, Loop, Track
from spark_lsp.actions.python.analysis.scopes import annotations, evaluated_at_definition, names_of, type_parameters

_NEVER_SUPPRESSES: Final = frozenset(
    {
        *("open", "closing", "nullcontext", "Lock", "RLock", "lock", "_lock", "TemporaryDirectory", "urlopen"),
        *("NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile", "catch_warnings", "redirect_stdout"),
        *("redirect_stderr", "ThreadPoolExecutor", "ProcessPoolExecutor", "Pool", "popen", "Popen", "socket"),
        *("ZipFile", "TarFile", "localcontext", "scandir", "memoryview", "StringIO", "BytesIO", "fdopen"),
    }
)
_RESOURCES: Final = frozenset(
    {"open", "opened", "lock", "locked", "connect", "connection", "session", "transaction", "cursor", "temp"}
)
"""Context managers that let every error pass, by name or a word of it; others may swallow one and go on behind."""
_WORD: Final = re.compile(r"[A-Z]?[a-z]+")


def flow_of(scope: ast.AST, marked: Sequence[ast.AST] = ()) -> Flow:
    """Build the flow of a module, function or lambda; ``marked`` are statements in a row or one expression."""
    track = Track(marked)
    track.point("join")
    if isinstance(scope, ast.Lambda):
        Expressions(track).expression(scope.body)
    else:
        _Statements(track).block(getattr(scope, "body", []))
    track.leave("return")
    return Flow(track.points)


class _Statements:
    """Walks statements in the order in which they run."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._read = Expressions(track)
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
        """Run statements one after the other."""
        for statement in statements:
            self._track.point("join", statement)
            self._track.marking(statement, self._statement)

    def _statement(self, node: ast.AST) -> None:
        handler = self._how.get(type(node).__name__)
        if handler is not None:
            handler(node)
        elif not isinstance(node, ast.Pass | ast.Global | ast.Nonlocal):
            self._read.children(node)
            self._track.point("effect", node)

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
            self._track.point("load", node.target)
        self._read.expression(node.value)
        self._track.point("effect", node)
        if isinstance(node.target, ast.Name):
            self._track.point("bind", node.target, node.target.id)

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._read.target(target)

    def _return(self, node: ast.Return) -> None:
        if node.value is not None:
            self._read.expression(node.value)
        self._track.leave("return")

    def _raise(self, node: ast.Raise) -> None:
        self._read.children(node)
        self._track.point("effect", node)
        self._track.frontier = []

    def _break(self, _node: ast.Break) -> None:
        self._track.leave("break")

    def _continue(self, _node: ast.Continue) -> None:
        self._track.leave("continue")

    def _if(self, node: ast.If) -> None:
        self._read.test(node.test)
        self._track.branch(lambda: self.block(node.body), lambda: self.block(node.orelse))

    def _assert(self, node: ast.Assert) -> None:
        self._read.test(node.test)

        def fails() -> None:
            if node.msg is not None:
                self._read.expression(node.msg)
            self._track.point("effect", node)
            self._track.frontier = []

        self._track.branch(fails, lambda: None)
        self._track.point("load", node)

    def _while(self, node: ast.While) -> None:
        loop = Loop(self._track.point("join"))
        self._read.test(node.test)
        ends = list(self._track.frontier)
        self._track.around.append(loop)
        self.block(node.body)
        self._track.around.pop()
        self._track.connect(loop.head)
        is_endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        self._track.frontier = [] if is_endless else ends
        self.block(node.orelse)
        self._track.frontier = [*self._track.frontier, *loop.broken]

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self._read.expression(node.iter)
        loop = Loop(self._track.point("effect", node))
        ends = list(self._track.frontier)
        self._track.around.append(loop)
        self._read.target(node.target)
        self.block(node.body)
        self._track.around.pop()
        self._track.connect(loop.head)
        self._track.frontier = ends
        self.block(node.orelse)
        self._track.frontier = [*self._track.frontier, *loop.broken]

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        self._with_items(node, node.items)

    def _with_items(self, node: ast.With | ast.AsyncWith, items: list[ast.withitem]) -> None:
        item = items[0]
        self._read.expression(item.context_expr)
        self._track.point("effect", item.context_expr)

        def body() -> None:
            if item.optional_vars is not None:
                self._read.target(item.optional_vars)
            if items[1:]:
                self._with_items(node, items[1:])
            else:
                self.block(node.body)

        last = Last(lambda: self._read.effect(item))
        self._track.guarded(last, body, suppresses=_may_suppress(item.context_expr))

    def _try(self, node: ast.Try) -> None:
        if node.finalbody:
            last = Last(lambda: self.block(node.finalbody))
            self._track.guarded(last, lambda: self._attempt(node), suppresses=False)
        else:
            self._attempt(node)

    def _attempt(self, node: ast.Try) -> None:
        outer = self._track.guard
        caught = self._track.loose() if node.handlers else outer
        self._track.guard = caught
        self.block(node.body)
        self._track.guard = outer
        self.block(node.orelse)
        if not node.handlers:
            return
        ends = self._track.frontier
        start = [caught]
        for handler in node.handlers:
            self._track.frontier = list(start)
            if handler.type is not None:
                self._read.expression(handler.type)
                self._track.point("load", handler)
                start = list(self._track.frontier)
            else:
                start = []
            self._caught(handler)
            ends = [*ends, *self._track.frontier]
        self._track.frontier = start
        self._track.connect(outer)
        self._track.frontier = ends

    def _caught(self, handler: ast.ExceptHandler) -> None:
        name = handler.name
        if name is None:
            self.block(handler.body)
            return
        self._track.point("bind", handler, name)
        forget = Last(lambda: self._forget(handler, name))
        self._track.guarded(forget, lambda: self.block(handler.body), suppresses=False)

    def _forget(self, handler: ast.ExceptHandler, name: str) -> None:
        self._track.point("unbind", handler, name)

    def _match(self, node: ast.Match) -> None:
        self._read.expression(node.subject)
        ends: list[int] = []
        for case in node.cases:
            start = list(self._track.frontier)
            self._track.point("effect", case)  # a pattern calls __eq__, keys and class attributes
            failed = [*start, *self._track.frontier]
            self._pattern(case.pattern)
            if case.guard is not None:
                self._read.test(case.guard)
                failed += self._track.frontier
            self.block(case.body)
            ends += self._track.frontier
            is_last = isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None
            self._track.frontier = [] if is_last else failed
        self._track.frontier = [*ends, *self._track.frontier]

    def _pattern(self, pattern: ast.pattern) -> None:
        for each in ast.walk(pattern):
            if isinstance(each, ast.expr):
                if isinstance(each, ast.Name):
                    self._read.use(each)
                continue
            name = getattr(each, "rest", None) if isinstance(each, ast.MatchMapping) else getattr(each, "name", None)
            if name:
                self._track.point("bind", each, name)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self._track.point("effect", node)
        for each in node.names:
            name = each.asname or (each.name.split(".")[0] if isinstance(node, ast.Import) else each.name)
            self._track.point("bind", each, name)

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._read.expressions(evaluated_at_definition(node))
        self._read.hidden.append(type_parameters(node))
        self._read.expressions(annotations(node))
        self._read.hidden.pop()
        self._read.capture(node)
        if node.decorator_list:
            self._track.point("effect", node)
        self._track.point("bind", node, node.name)

    def _class(self, node: ast.ClassDef) -> None:
        self._read.expressions(evaluated_at_definition(node))
        for name in sorted(names_of(node).free):
            self._track.point("use", node, name)
        self._read.capture(node)
        self._track.point("effect", node)
        self._track.point("bind", node, node.name)

    def _alias(self, node: ast.stmt) -> None:
        """Bind the name of a ``type`` statement (Python 3.12); its value is read when somebody asks for it."""
        for name in sorted(names_of(node).used):
            self._track.point("capture", node, name)
        self._read.target(node.name)  # type: ignore[attr-defined]


def _may_suppress(manager: ast.expr) -> bool:
    called = manager.func if isinstance(manager, ast.Call) else manager
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    words = {word.lower() for word in _WORD.findall(name)}
    return name not in _NEVER_SUPPRESSES and not words & _RESOURCES
