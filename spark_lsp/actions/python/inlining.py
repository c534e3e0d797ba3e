"""Plan the inlining of a variable: which uses, with which parentheses, or why it is impossible. Pure.

Correct if the variable is assigned once, every use certainly has that value, and no code in between changes the value
or would run in another order.
"""

import ast
import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.assumption import PROVED, Assumed
from spark_lsp.actions.layout import line_end, line_start, starts_line
from spark_lsp.actions.python.analysis.control_flow import control_flow_of
from spark_lsp.actions.python.analysis.dataflow import DataFlow
from spark_lsp.actions.python.analysis.flow_graph import EXIT
from spark_lsp.actions.python.analysis.lifetimes import lifetime_refusal
from spark_lsp.actions.python.analysis.operator_hooks import hooked
from spark_lsp.actions.python.analysis.purity import Value, disturbed, escapes, onwards, overtakes, value_of
from spark_lsp.actions.python.analysis.quiet_reads import quieted
from spark_lsp.actions.python.analysis.scopes import ScopeNames, given_names, names_of
from spark_lsp.actions.python.analysis.selection import loop_names
from spark_lsp.actions.python.analysis.source import Scope, Source
from spark_lsp.actions.python.analysis.variable_readers import code_reader, variable_reader
from spark_lsp.actions.python.renaming import owner_of
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span, apply_edits

_ATOMS: Final = (
    ast.Name,
    ast.Call,
    ast.Attribute,
    ast.Subscript,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.ListComp,
    ast.SetComp,
)
_WHOLE: Final = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr, ast.keyword, ast.If, ast.While)
_NOT_IN_FSTRINGS: Final = frozenset("'\"\\\n#")
"""Characters that Python 3.11 forbids in an f-string's expression, at least within its own quotes."""


@dataclass(frozen=True, slots=True)
class Inlining:
    """The edits, and the parts of the proof: the removed assignment and the replaced names."""

    source: Source
    statement: ast.Assign | ast.AnnAssign
    value: ast.expr
    uses: tuple[ast.Name, ...]

    def edits(self) -> tuple[Edit, ...]:
        """Return the edits: the value for each name, and no assignment; a comment on its lines stays."""
        return (self._removal(), *(Edit(self.source.span(use), self._text(use)) for use in self.uses))

    def is_faithful(self) -> bool:
        """Whether the edited document is the old one with the value for the name, and nothing else changed."""
        try:
            after = ast.parse(apply_edits(self.source.text, self.edits()))
        except (SyntaxError, ValueError, RecursionError):
            return False
        expected = _expected(self)
        return ast.dump(after) == ast.dump(expected)

    def _text(self, use: ast.Name) -> str:
        value_text = self.source.text_of(self.value)
        parent = self.source.parent(use)
        if isinstance(self.value, _ATOMS) or _is_plain_constant(self.value, parent):
            starts_field = isinstance(parent, ast.FormattedValue) and value_text.startswith("{")
            return f"({value_text})" if starts_field else value_text
        has_brackets = value_text.startswith("(") and _is_bracketed(value_text)
        if isinstance(self.value, ast.GeneratorExp) or (isinstance(self.value, ast.Tuple) and has_brackets):
            return value_text
        is_whole = isinstance(parent, _WHOLE) or (isinstance(parent, ast.Call) and use in parent.args)
        needs_brackets = isinstance(self.value, ast.Tuple) or "\n" in value_text
        return value_text if is_whole and not needs_brackets else f"({value_text})"

    def _removal(self) -> Edit:
        text, span = self.source.text, self.source.span(self.statement)
        start, end = line_start(text, span.start), line_end(text, span.end)
        comment = text[span.end : end].strip().removeprefix(";").strip()
        if len(self.source.block_of(self.statement)) == 1:
            return Edit(span, "pass")
        if comment:
            return Edit(Span(span.start, end), comment)
        after = text.find("\n", end)
        return Edit(Span(start, len(text) if after < 0 else after + 1), "")


def inlining_of(source: Source, name: ast.Name, assumed: Assumed = PROVED) -> Inlining | Refusal:
    """Return how to inline the variable of a name, or in one sentence why that is impossible."""
    scope = owner_of(source, name)
    if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
        return Refusal("owner", f"{name.id} belongs to no function, so others may read it.")
    names = names_of(scope)
    given = given_names(scope)
    flow = DataFlow(hooked(quieted(control_flow_of(scope, (), source.managers), source), source), given)
    binds = [n for n, point in enumerate(flow.points) if point.name == name.id and point.kind in {"bind", "unbind"}]
    statement = _assignment(source, name.id, [flow.points[n].node for n in binds], given)
    if isinstance(statement, Refusal):
        return statement
    assert statement.value is not None, "an assignment has a value"
    uses = [n for n, point in enumerate(flow.points) if point.name == name.id and point.kind in {"use", "capture"}]
    way = _Way(source, scope, names, flow, binds, uses, value_of(statement.value, flow, names, scope), assumed)
    reader = variable_reader(source, scope, ast.walk(scope)) or code_reader(source, scope, assumed=assumed)
    refusal = reader or _unfit(source, statement, names, name.id) or way.refusal(name.id, statement)
    if refusal:
        return refusal
    read = {id(flow.points[n].node): flow.points[n].node for n in uses}
    taken = tuple(node for node in read.values() if isinstance(node, ast.Name))
    return Inlining(source, statement, statement.value, taken)


def _assignment(
    source: Source, name: str, binders: list[ast.AST | None], given: set[str]
) -> ast.Assign | ast.AnnAssign | Refusal:
    """Return the only statement that assigns a name, or why there is none."""
    if name in given:
        return Refusal("owner", f"{name} is a parameter.", is_local=True)
    nodes = {id(binder): binder for binder in binders}
    if len(nodes) > 1:
        return Refusal("assignment", f"{name} is assigned more than once.", is_local=True)
    target = next(iter(nodes.values()), None)
    parent = source.parent(target) if isinstance(target, ast.Name) else None
    is_plain = isinstance(parent, ast.AnnAssign) or (isinstance(parent, ast.Assign) and len(parent.targets) == 1)
    if isinstance(parent, ast.Assign | ast.AnnAssign) and is_plain and parent.value is not None:
        return parent
    return Refusal("assignment", f"{name} is not assigned by a statement of its own.", is_local=True)


@dataclass(frozen=True, slots=True)
class _Way:
    """The nodes between an assignment and the uses of its name."""

    source: Source
    scope: Scope
    names: ScopeNames
    flow: DataFlow
    binds: list[int]
    uses: list[int]
    value: Value
    assumed: Assumed

    def refusal(self, name: str, statement: ast.stmt) -> Refusal | None:
        """Apply each rule in turn and return the first refusal."""
        starts = [n for n, point in enumerate(self.flow.points) if point.node is statement and point.kind == "join"]
        rules = (self._unreadable(name), self._outlived(name), self._changed(name, starts), self._several(name, starts))
        return next((rule for rule in rules if rule), None) or self._elsewhere(name, starts)

    def _unreadable(self, name: str) -> Refusal | None:
        """Refuse a use that is no read, or a value that would mean something else there."""
        if not self.uses:
            return Refusal("paths", f"{name} is never read.", is_local=True)
        return next(filter(None, (self._misread(name, number) for number in self.uses)), None)

    def _outlived(self, name: str) -> Refusal | None:
        """Refuse if an object that acts when it is finalized would be finalized where its value is used."""
        uses = {id(self.flow.points[n].node): self.flow.points[n].node for n in self.uses}
        if all(isinstance(use, ast.Name) and _is_kept(self.source, use) for use in uses.values()):
            return None
        message = f"{name} may hold an object that is closed when it is finalized."
        return lifetime_refusal(self.source, self.value.node, message, self.assumed)

    def _misread(self, name: str, number: int) -> Refusal | None:
        point = self.flow.points[number]
        if point.kind == "capture":
            return Refusal("closure", f"{name} is read by an inner function, which runs later.", is_local=True)
        if not isinstance(point.node, ast.Name) or not len(self.source.span(point.node)):
            return Refusal("placement", f"{name} is read in an unknown place.")
        if name not in self.flow.definitely_assigned([number]):
            return Refusal("unbound", f"{name} may have no value where it is read.")
        is_in_text = any(isinstance(parent, ast.JoinedStr) for _child, parent in self.source.around(point.node))
        if is_in_text and not _NOT_IN_FSTRINGS.isdisjoint(self.source.text_of(self.value.node)):
            return Refusal("placement", f"{name} is read in an f-string, where not every Python allows its value.")
        hidden = loop_names(self.source, point.node, self.scope) & self.value.reads
        return Refusal("scope", f"{min(hidden)} means something else where {name} is read.") if hidden else None

    def _changed(self, name: str, starts: list[int]) -> Refusal | None:
        """Refuse if code between the assignment and a use changes the value, or could notice the move."""
        between = self.flow.reached(self.binds, without=starts) & self.flow.reaching(self.uses, without=starts)
        passed = self._foreign(between - set(self.uses))
        if not self.value.has_effect:
            between_points = (self.flow.points[n] for n in passed)
            return disturbed(self.value, between_points, self.names, self.source, self.assumed)
        is_single = len({id(self.flow.points[n].node) for n in self.uses}) == 1 and not self._is_repeated(starts)
        if not is_single:
            return Refusal("paths", f"The value of {name} has an effect, and would be evaluated more than once.")
        return overtakes(self.value, passed, self.flow, self.source, self.names, self.assumed)

    def _several(self, name: str, starts: list[int]) -> Refusal | None:
        """Refuse if one object would become several distinguishable ones."""
        nodes = {id(self.flow.points[n].node): self.flow.points[n].node for n in self.uses}
        seen = [node for node in nodes.values() if isinstance(node, ast.expr) and escapes(self.source, node)]
        if self.value.is_fresh and (len(seen) > 1 or (seen and self._is_repeated(starts))):
            return Refusal("identity", f"The value of {name} is one object, and would become several.")
        return None

    def _elsewhere(self, name: str, starts: list[int]) -> Refusal | None:
        """Refuse a value that may fail, or has an effect, if it would run on other paths or under other handlers."""
        points = self.flow.points
        if not (self.value.has_effect or self.value.may_fail):
            return None
        passed = onwards(self.flow, self.binds[0], self.uses)
        if EXIT in passed or not passed.isdisjoint(starts):
            return Refusal("paths", f"The value of {name} would not be evaluated on every path.")
        blocked = {*self.uses, *starts}
        first = [n for n in self.uses if n in self.flow.reached(self.binds, without=blocked - {n})]
        if {points[n].guard for n in first} != {points[n].guard for n in self.binds}:
            return Refusal("order", f"{name} is read where other error handlers apply.")
        before = self.flow.reached(self.binds, without=blocked) & self.flow.reaching(first, without=starts)
        return overtakes(self.value, self._foreign(before), self.flow, self.source, self.names, self.assumed)

    def _is_repeated(self, starts: list[int]) -> bool:
        return any(n in self.flow.reached([n], without=starts) for n in self.uses)

    def _foreign(self, numbers: Iterable[int]) -> list[int]:
        """Return the nodes outside of the value itself."""
        own = {id(node) for node in ast.walk(self.value.node)}
        points = self.flow.points
        return [n for n in numbers if id(points[n].node) not in own]


def _is_kept(source: Source, use: ast.Name) -> bool:
    """Whether the object lives as long without the name: it is returned, or stored elsewhere."""
    parent = source.parent(use)
    if isinstance(parent, ast.withitem | ast.Assign | ast.AnnAssign | ast.Return):
        return True
    is_argument = isinstance(parent, ast.Call) and any(argument is use for argument in parent.args)
    return is_argument and parent is not None and isinstance(source.parent(parent), ast.Return)


def _unfit(source: Source, statement: ast.stmt, names: ScopeNames, name: str) -> Refusal | None:
    """Return why an assignment cannot be removed, by its form alone."""
    text, span = source.text, source.span(statement)
    rest = text[span.end : line_end(text, span.end)].strip().removeprefix(";").strip()
    value = getattr(statement, "value", None)
    inner = list(ast.walk(value)) if isinstance(value, ast.expr) else []
    if name in names.written:
        return Refusal("closure", f"{name} is assigned by an inner function.", is_local=True)
    if not starts_line(text, span.start) or (rest and not rest.startswith("#")):
        return Refusal("placement", f"The assignment of {name} shares its line with another statement.")
    if any(isinstance(node, ast.Yield | ast.YieldFrom | ast.NamedExpr) for node in inner):
        return Refusal("paths", f"The value of {name} is more than a plain value.")
    return None


def _is_plain_constant(value: ast.expr, parent: ast.AST | None) -> bool:
    if not isinstance(value, ast.Constant):
        return False
    is_text = isinstance(value.value, str | bytes)
    return not is_text and not isinstance(parent, ast.Attribute)


def _is_bracketed(text: str) -> bool:
    try:
        ast.parse(text[1:-1] + "\n", mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _expected(inlining: Inlining) -> ast.Module:
    """Return the document's tree with the value for the name."""
    memo: dict[int, object] = {id(use): use for use in (*inlining.uses, inlining.statement, inlining.value)}
    tree = _Put(inlining).visit(copy.deepcopy(inlining.source.tree, memo))
    assert isinstance(tree, ast.Module), "a module stays one"
    return tree


class _Put(ast.NodeTransformer):
    """Replaces reads of the name by the value, and removes the assignment."""

    def __init__(self, inlining: Inlining) -> None:
        self._made = inlining
        self._uses = {id(use) for use in inlining.uses}

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._made.value if id(node) in self._uses else node

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        return self._gone(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return self._gone(node)

    def _gone(self, node: ast.Assign | ast.AnnAssign) -> ast.AST | None:
        if node is not self._made.statement:
            return self.generic_visit(node)
        return ast.Pass() if len(self._made.source.block_of(node)) == 1 else None
