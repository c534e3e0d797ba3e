"""Plan a variable for an expression: where to assign it, which equal expressions it replaces, or why it is impossible.

The assignment goes before the statement. That is correct if the statement certainly evaluates the expression, once,
and after nothing that the order matters to. An equal expression is replaced if its value is provably the same.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from spark_lsp.actions.assumption import PROVED, Assumed
from spark_lsp.actions.layout import indent_of, line_start, newline_of, starts_line
from spark_lsp.actions.python.analysis.control_flow import control_flow_of
from spark_lsp.actions.python.analysis.dataflow import DataFlow
from spark_lsp.actions.python.analysis.lifetimes import has_lifetime, lifetime_refusal
from spark_lsp.actions.python.analysis.operator_hooks import hooked
from spark_lsp.actions.python.analysis.purity import Value, disturbed, escapes, misses, onwards, overtakes, value_of
from spark_lsp.actions.python.analysis.quiet_reads import quieted
from spark_lsp.actions.python.analysis.scopes import FUNCTIONS, ScopeNames, given_names, names_of
from spark_lsp.actions.python.analysis.selection import Piece
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.variable_readers import code_reader, variable_reader
from spark_lsp.actions.python.analysis.walks import nodes_of
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span, apply_edits


@dataclass(frozen=True, slots=True)
class Variable:
    """Everything that the edits need except the name. ``uses`` are the places to replace, the selected one included.

    A selection that is a whole statement becomes the assignment, and is no use.
    """

    source: Source
    node: ast.expr
    at: int
    uses: tuple[Span, ...]
    is_statement: bool = False
    is_module_name: bool = False
    """Whether the name is added to a module that others import, where a public name would extend its API."""

    @property
    def is_global(self) -> bool:
        """Whether the name belongs to the module, used in functions or not."""
        return isinstance(self.source.scope_of(self.source.statement_of(self.node)), ast.Module)

    def suited(self, name: str) -> str:
        """Return a name that fits the place: private if it belongs to a module."""
        return f"_{name}" if self.is_module_name and not name.startswith("_") else name

    def edits(self, name: str) -> tuple[Edit, ...]:
        """Return the edits: the assignment, and the name in place of each expression."""
        text = self.source.text
        if self.is_statement:
            return (Edit(Span(self.at, self.at), f"{name} = "), *(Edit(use, name) for use in self.uses))
        value_text = self.source.text_of(self.node)
        try:
            ast.parse(value_text, mode="eval")
        except (SyntaxError, ValueError):
            value_text = f"({value_text})"
        line = f"{name} = {value_text}{newline_of(text)}{indent_of(text, self.at)}"
        return (Edit(Span(self.at, self.at), line), *(Edit(use, name) for use in self.uses))

    def is_faithful(self, name: str) -> bool:
        """Whether the edited document equals the old one once the name is replaced by its value."""
        try:
            after = ast.parse(apply_edits(self.source.text, self.edits(name)))
        except (SyntaxError, ValueError, RecursionError):
            return False
        back = _PutBack(name, self.node, keeps=self.is_statement)
        tree = back.visit(after)
        same = ast.dump(tree) == ast.dump(self.source.tree)
        return same and back.assigned == 1 and back.read == len(self.uses)


class _PutBack(ast.NodeTransformer):
    """Removes the assignment of a name and replaces its reads by the value."""

    def __init__(self, name: str, value: ast.expr, *, keeps: bool) -> None:
        self._name = name
        self._value = value
        self._keeps = keeps
        self._told = ast.dump(value)
        self.assigned = 0
        self.read = 0

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        target = node.targets[0]
        if isinstance(target, ast.Name) and target.id == self._name and ast.dump(node.value) == self._told:
            self.assigned += 1
            return ast.Expr(node.value) if self._keeps else None
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id != self._name:
            return node
        self.read += 1
        return self._value


def variable_for(source: Source, piece: Piece, assumed: Assumed = PROVED) -> Variable | Refusal:
    """Return the variable for a selected expression, or in one sentence why there is none."""
    node = piece.nodes[0]
    assert isinstance(node, ast.expr), "the caller has looked"
    refusal = _unfit(source, piece, node)
    if refusal:
        return refusal
    statement = source.statement_of(node)
    names = names_of(piece.scope)
    graph = hooked(quieted(control_flow_of(piece.scope, [node], source.managers), source), source)
    flow = DataFlow(graph, given_names(piece.scope))
    starts = [n for n, point in enumerate(flow.points) if point.node is statement and point.kind == "join"]
    goals = flow.graph.where("before")
    refusal = _misplaced(flow, starts, goals, value_of(node, flow, names, piece.scope), source, names, assumed)
    if refusal:
        return refusal
    is_module = isinstance(piece.scope, ast.Module)
    reader = None if is_module else variable_reader(source, piece.scope, nodes_of(piece.scope))
    refusal = reader or code_reader(source, piece.scope, assumed=assumed)
    refusal = refusal or _outlives(source, statement, flow, node, piece, assumed)
    if refusal:
        return refusal
    same_values = list(_same_value(source, piece, statement, flow, starts, names))
    is_statement = isinstance(statement, ast.Expr) and statement.value is node
    own = [] if is_statement else [piece.replaced or piece.span]
    uses = (*own, *(source.span(expression) for expression in same_values))
    is_module_name = isinstance(piece.scope, ast.Module) and any(
        isinstance(inner, (*FUNCTIONS, ast.ClassDef)) for inner in piece.scope.body
    )
    return Variable(source, node, source.span(statement).start, uses, is_statement, is_module_name)


def _outlives(
    source: Source, statement: ast.stmt, flow: DataFlow, node: ast.expr, piece: Piece, assumed: Assumed
) -> Refusal | None:
    """Return why an object must not live until the end of the function: it acts when it is finalized."""
    holder = source.parent(node)
    is_held = isinstance(holder, ast.Assign) and all(_is_kept(target, piece.scope) for target in holder.targets)
    if is_held or isinstance(holder, ast.withitem | ast.Return) or not has_lifetime(source, node):
        return None
    own = {id(descendant) for descendant in ast.walk(statement)}
    later = flow.reached(flow.graph.where("after"))
    is_last = all(
        id(flow.points[number].node) in own or flow.points[number].kind in {"join", "exit", "error", "after"}
        for number in later
    )
    if is_last and not isinstance(piece.scope, ast.Module):
        return None
    message = "The selection may create an object that is closed when it is finalized."
    return lifetime_refusal(source, node, message, assumed)


def _is_kept(target: ast.expr, scope: ast.AST) -> bool:
    """Whether a target keeps its value for the whole scope: nothing else assigns or deletes it."""
    name = ast.unparse(target)
    stored = [
        node
        for node in ast.walk(scope)
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)
    ]
    return sum(ast.unparse(node) == name for node in stored) == 1


def _unfit(source: Source, piece: Piece, node: ast.expr) -> Refusal | None:
    """Return why no statement can be inserted before the expression, by its place alone."""
    statement = source.statement_of(node)
    start = source.span(statement).start
    is_elif = isinstance(statement, ast.If) and source.text.startswith("elif", start)
    is_alone = isinstance(statement, ast.Expr) and statement.value is node and isinstance(node, ast.Constant)
    rules = (
        (isinstance(piece.scope, ast.ClassDef), "is in the body of a class, where a name becomes an attribute"),
        (isinstance(piece.scope, ast.Lambda), "is in a lambda, which holds no statements"),
        (isinstance(node, ast.NamedExpr), "is already a name"),
        (is_in_annotation(source, node), "is part of a type"),
        (is_elif, "is the condition of an elif, before which no statement is allowed"),
        (is_alone, "is a statement of its own"),
        (not starts_line(source.text, start), "shares its line with another statement"),
    )
    messages = (f"The selection {message}." for holds, message in rules if holds)
    return next((Refusal("placement", message, is_local="class" in message) for message in messages), None)


def is_in_annotation(source: Source, node: ast.AST) -> bool:
    """Whether a node is part of a type annotation."""
    for child, parent in source.around(node):
        if child is getattr(parent, "annotation", None) or child is getattr(parent, "returns", None):
            return True
        if isinstance(parent, ast.stmt):
            return False
    return False


def _misplaced(
    flow: DataFlow,
    starts: list[int],
    goals: list[int],
    value: Value,
    source: Source,
    names: ScopeNames,
    assumed: Assumed,
) -> Refusal | None:
    """Return why evaluating the expression before its statement would change its meaning."""
    if not goals or not starts:
        return Refusal("paths", "The selection runs later than the code around it, or never.", is_local=True)
    for start in starts:
        if misses(flow, start, goals):
            return Refusal("paths", "The selection is evaluated only on some paths.", is_local=True)
        between = onwards(flow, start, goals) & flow.reaching(goals, without=starts)
        refusal = overtakes(value, between, flow, source, names, assumed)
        if refusal:
            message = f"The selection cannot be evaluated before its statement. {refusal.message}"
            return replace(refusal, message=message)
    again = flow.reached(goals, without=starts)
    if not again.isdisjoint(goals):
        return Refusal("paths", "The expression runs more than once in this statement.", is_local=True)
    loops = {id(point.node): point.name for point in flow.points if point.kind == "inner"}
    own = {loops[id(node)] for node in ast.walk(value.node) if id(node) in loops}
    if own - loop_variables(value.node):
        return Refusal("scope", "The selection reads a name of the comprehension around it.", is_local=True)
    return None


def loop_variables(node: ast.AST) -> set[str]:
    """Return the loop names of the comprehensions within a node."""
    return {
        descendant.id
        for holder in ast.walk(node)
        if isinstance(holder, ast.comprehension)
        for descendant in ast.walk(holder.target)
        if isinstance(descendant, ast.Name)
    }


def _same_value(
    source: Source, piece: Piece, statement: ast.stmt, flow: DataFlow, starts: list[int], names: ScopeNames
) -> Iterator[ast.expr]:
    """Yield other expressions after the statement's start that certainly have the same value."""
    node = piece.nodes[0]
    assert isinstance(node, ast.expr), "the caller has looked"
    value = value_of(node, flow, names, piece.scope)
    if value.has_effect or isinstance(node, ast.Await | ast.Lambda | ast.GeneratorExp):
        return
    dump, mine = ast.dump(node), {id(descendant) for descendant in ast.walk(node)}
    block = source.block_of(statement)
    escaped = escapes(source, node)
    for later in block[block.index(statement) :]:
        for descendant in _evaluated_in(later):
            if not isinstance(descendant, ast.expr) or descendant is node or ast.dump(descendant) != dump:
                continue
            own = {id(inner) for inner in ast.walk(descendant)}
            goals = [n for n, point in enumerate(flow.points) if id(point.node) in own]
            if not _is_replaceable(source, descendant) or (not goals and not value.is_constant):
                continue
            between = flow.reached(starts, without=starts) & flow.reaching(goals, without=starts)
            passed = [flow.points[n] for n in between if id(flow.points[n].node) not in own | mine]
            if disturbed(value, passed, names, source) or any(flow.points[n].kind == "inner" for n in goals):
                continue
            if value.is_fresh and escapes(source, descendant):
                if escaped or not set(goals).isdisjoint(flow.reached(goals, without=starts) - set(goals)):
                    continue
                escaped = True
            yield descendant


def _evaluated_in(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield what runs in a statement: not inner functions, but what a definition evaluates at once."""
    yield statement
    if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        yield from (node for node in nodes_of(statement))


def _is_replaceable(source: Source, node: ast.expr) -> bool:
    """Whether a name can replace a node; not in code that runs later, in an f-string or in a type."""
    if is_in_annotation(source, node) or not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return False
    span = source.span(node)
    if not len(span):
        return False
    for _child, parent in source.around(node):
        if isinstance(parent, (ast.GeneratorExp, ast.JoinedStr, ast.pattern, *FUNCTIONS, ast.ClassDef)):
            return False
        if isinstance(parent, ast.stmt):
            break
    is_statement = isinstance(source.parent(node), ast.Expr)
    return not is_statement and line_start(source.text, span.start) >= 0
