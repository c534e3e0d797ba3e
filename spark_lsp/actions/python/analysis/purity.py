"""Decide whether an expression may be evaluated earlier, later, or once instead of twice, with the same result. Pure.

Reading an attribute and applying an operator is assumed to change nothing; both may fail. A call may do anything.
"""

import ast
import builtins
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.assumption import PROVED, Assumed
from spark_lsp.actions.python.analysis.dataflow import DataFlow
from spark_lsp.actions.python.analysis.flow_graph import EXIT, ProgramPoint
from spark_lsp.actions.python.analysis.scopes import FUNCTIONS, ScopeNames, arguments, names_of, target_names
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import first_parameter, named_by
from spark_lsp.actions.refusal import Assumption, Refusal

_SAFE_PARENTS: Final = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.FormattedValue, ast.If, ast.While, ast.Assert)


_UNCHANGING: Final = frozenset({"int", "float", "complex", "str", "bool", "bytes"})
_COMPUTING: Final = (
    *(ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.expr_context),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)


@dataclass(frozen=True, slots=True)
class Value:
    """Facts about an expression: the names that it reads, and what its evaluation may do."""

    node: ast.expr
    reads: frozenset[str]
    has_effect: bool
    may_fail: bool
    is_fresh: bool
    """Whether each evaluation may create another mutable object."""
    asks: bool = False
    """Whether it tests the truth of an object that may change."""
    is_steady: bool = False
    """Whether it is the same as long as its names are not assigned, whatever is called meanwhile."""

    @property
    def is_constant(self) -> bool:
        """Whether it is the same whenever and however often it is evaluated."""
        return not self.reads and not self.has_effect and not self.may_fail and not self.is_fresh


def value_of(node: ast.expr, flow: DataFlow, names: ScopeNames, scope: ast.AST) -> Value:
    """Return the facts of an expression; ``flow`` are those of its graph, ``names`` those of its scope."""
    own = {id(descendant) for descendant in ast.walk(node)}
    mine = [number for number, point in enumerate(flow.points) if id(point.node) in own]
    kinds = {flow.points[number].kind for number in mine}
    return Value(
        node,
        frozenset(flow.points[number].name for number in mine if flow.points[number].kind in {"use", "inner"}),
        bool(kinds & {"effect", "bind", "unbind"}),
        "load" in kinds or not flow.unsure(names.local).isdisjoint(mine),
        _is_fresh(node) and not _is_steady(node, scope),
        any(
            flow.points[number].kind == "ask" and not _is_number_or_text(flow.points[number], scope) for number in mine
        ),
        _is_steady(node, scope),
    )


def _is_steady(node: ast.expr, scope: ast.AST) -> bool:
    """Whether an expression computes only with numbers and strings, by the types that the function states."""
    if not all(isinstance(descendant, _COMPUTING) for descendant in ast.walk(node)):
        return False
    plain = {
        parameter.arg
        for parameter in (arguments(scope.args) if isinstance(scope, FUNCTIONS) else ())
        if isinstance(parameter.annotation, ast.Name) and parameter.annotation.id in _UNCHANGING
    }
    return {descendant.id for descendant in ast.walk(node) if isinstance(descendant, ast.Name)} <= plain


def _is_number_or_text(point: ProgramPoint, scope: ast.AST) -> bool:
    return isinstance(point.node, ast.Name) and _is_steady(point.node, scope)


def _is_fresh(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant | ast.Name | ast.Attribute | ast.JoinedStr):
        return False
    if isinstance(node, ast.UnaryOp):
        return not isinstance(node.op, ast.Not) and not isinstance(node.operand, ast.Constant)
    if isinstance(node, ast.Tuple):
        return any(_is_fresh(element) for element in node.elts)
    if isinstance(node, ast.Subscript):
        return any(isinstance(descendant, ast.Slice) for descendant in ast.walk(node.slice))
    if isinstance(node, ast.BoolOp | ast.IfExp):
        return any(_is_fresh(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
    return True


def escapes(source: Source, node: ast.expr) -> bool:
    """Whether the object itself is passed on from its use, instead of taking part in an operation."""
    parent = source.parent(node)
    if isinstance(parent, ast.Compare):
        return any(isinstance(operator, ast.Is | ast.IsNot) for operator in parent.ops)
    if isinstance(parent, ast.BoolOp):
        return escapes(source, parent)
    return not isinstance(parent, _SAFE_PARENTS)


def disturbed(
    value: Value, between: Iterable[ProgramPoint], names: ScopeNames, source: Source, assumed: Assumed = PROVED
) -> Refusal | None:
    """Return what may change a value without effect between two moments, None if nothing can."""
    shared = value.reads - names.private
    is_of_objects = ((value.may_fail or value.asks) and not value.is_steady) or bool(shared)
    for point in between:
        if point.kind in {"bind", "unbind"} and point.name in value.reads:
            return Refusal("changed", f"{point.name} is assigned in between.")
        if point.kind == "effect" and is_of_objects:
            assumption = needed_for_effect(value.node, point.node, source)
            if assumption is None or assumption not in assumed:
                return Refusal("changed", "Something in between may change the value.", assumption=assumption)
    return None


def overtakes(
    value: Value, passed: Iterable[int], flow: DataFlow, source: Source, names: ScopeNames, assumed: Assumed = PROVED
) -> Refusal | None:
    """Return why a value must not be evaluated before (or after) these nodes; None if it may."""
    unsure = flow.unsure(names.local)
    for number in passed:
        if refusal := _passed(value, number, flow, source, names, assumed, is_unsure=number in unsure):
            return refusal
    return None


def _passed(
    value: Value, number: int, flow: DataFlow, source: Source, names: ScopeNames, assumed: Assumed, *, is_unsure: bool
) -> Refusal | None:
    """Return why a value must not move across a node; empty if it may."""
    point = flow.points[number]
    if point.kind in {"bind", "unbind"}:
        message = _assigned(point, value, flow, names)
        return Refusal("order", message) if message else None
    can_act = value.has_effect or value.may_fail
    if point.kind == "effect":
        if not can_act and not value.asks and value.reads <= names.private:
            return None
        assumption = needed_for_effect(value.node, point.node, source)
        return _unless(assumed, "Something with an effect is evaluated in between.", "errors", assumption)
    if not can_act or (point.kind == "load" and _is_harmless(point, value, source)):
        return None
    return _passed_read(value, point, source, names, assumed, is_unsure=is_unsure)


def _passed_read(
    value: Value, point: ProgramPoint, source: Source, names: ScopeNames, assumed: Assumed, *, is_unsure: bool
) -> Refusal | None:
    """Return why a value that may fail or change something must not pass a point that reads something."""
    calls: Assumption | None = "errors"
    if value.has_effect:
        calls = "calls" if are_independent(value.node, point.node, source) else None
    if point.kind == "load":
        message = "Something is evaluated in between that may fail or depend on it."
        return _unless(assumed, message, "errors", calls)
    if point.kind == "use" and is_unsure:
        message = f"{point.name} may have no value where it is read in between."
        return _unless(assumed, message, "errors", calls)
    is_stale = value.has_effect and not _is_stable(point, source, names)
    return _unless(assumed, f"{point.name} is read in between, and may be changed.", calls) if is_stale else None


def _unless(assumed: Assumed, message: str, *assumptions: Assumption | None) -> Refusal | None:
    """Refuse unless all of these are assumed; None among them stands for what nothing would help against."""
    if None in assumptions:
        return Refusal("order", message)
    missing = next((assumption for assumption in assumptions if assumption not in assumed), None)
    return Refusal("order", message, assumption=missing) if missing else None


def _assigned(point: ProgramPoint, value: Value, flow: DataFlow, names: ScopeNames) -> str:
    """Return why a value must not move across an assignment."""
    if point.name in value.reads:
        return f"{point.name} is assigned in between."
    if not (value.has_effect or value.may_fail):
        return ""
    is_captured = value.has_effect and any(
        later.kind == "capture" and later.name == point.name for later in flow.points
    )
    if point.name not in names.private or is_captured:
        return f"{point.name} is assigned in between."
    is_read = point.name in flow.live({point.guard})
    return f"{point.name} is assigned in between, and read after an error." if is_read else ""


def _is_harmless(point: ProgramPoint, value: Value, source: Source) -> bool:
    """Whether reading an attribute here neither fails nor depends on the value; methods of a name do not."""
    if not isinstance(point.node, ast.Attribute):
        return False
    if not value.has_effect:
        return True
    parent = source.parent(point.node)
    if isinstance(parent, ast.Attribute):  # the object whose method is called
        is_own = isinstance(point.node.value, ast.Name) and _is_receiver(source, point.node.value)
        method = source.parent(parent)
        is_called = isinstance(method, ast.Call) and method.func is parent
        return is_own and is_called and _is_set_once(source, point.node.attr)
    is_method = isinstance(parent, ast.Call) and parent.func is point.node
    return is_method and _is_steady_object(source, point.node.value) and not is_rebound(source, point.node.attr)


def _is_steady_object(source: Source, node: ast.expr) -> bool:
    """Whether an expression is a name, or an attribute of the method's own object that ``__init__`` alone sets."""
    if isinstance(node, ast.Attribute):
        is_own = isinstance(node.value, ast.Name) and _is_receiver(source, node.value)
        return is_own and _is_set_once(source, node.attr)
    return isinstance(node, ast.Name)


def _is_receiver(source: Source, name: ast.Name) -> bool:
    scope = source.scope_of(name)
    return isinstance(source.parent(scope), ast.ClassDef) and name.id == first_parameter(scope)


def _is_set_once(source: Source, attribute: str) -> bool:
    """Whether ``__init__`` methods of the document set an attribute, and nothing else does."""
    stores = [
        node
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and node.attr == attribute and not isinstance(node.ctx, ast.Load)
    ]
    if not stores or any(getattr(source.scope_of(node), "name", "") != "__init__" for node in stores):
        return False
    return not any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == attribute
        for node in ast.walk(source.tree)
    )


def needed_for_effect(node: ast.expr, effect: ast.AST | None, source: Source) -> Assumption | None:
    """Return what would make an effect harmless to a value; None where it is plainly not."""
    if isinstance(effect, ast.Attribute):
        is_read = any(isinstance(part, ast.Attribute) and part.attr == effect.attr for part in ast.walk(node))
        return None if is_read or not _reads_attributes_alone(node) else "attributes"
    if isinstance(effect, ast.Call | ast.Expr | ast.For | ast.comprehension) and are_independent(node, effect, source):
        return "calls"
    return None


def _reads_attributes_alone(node: ast.expr) -> bool:
    return all(isinstance(part, ast.Attribute | ast.Name | ast.expr_context) for part in ast.walk(node))


def are_independent(node: ast.expr, code: ast.AST | None, source: Source) -> bool:
    """Whether two pieces of code name nothing in common but builtins and modules that are imported."""
    if code is None:
        return False
    parts = ast.walk(code) if not isinstance(code, ast.For) else [*ast.walk(code.iter), *ast.walk(code.target)]
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    shared = names & {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    imported = {name for name, _number in source.modules}
    return all(name in imported or (name not in source.bindings and hasattr(builtins, name)) for name in shared)


def is_rebound(source: Source, attribute: str) -> bool:
    """Whether the document assigns an attribute of that name, so that the callee may change."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr == attribute and not isinstance(node.ctx, ast.Load):
            return True
        if isinstance(node, ast.Call) and named_by(node.func) in {"setattr", "__setattr__", "delattr"}:
            texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            if attribute in texts:
                return True
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(source.parent(node), ast.ClassDef):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if attribute in target_names(targets):
                return True
    return False


def _is_stable(point: ProgramPoint, source: Source, names: ScopeNames) -> bool:
    """Whether a name stands for the same object here whatever is called before it."""
    if point.kind == "ask":
        return point.node is not None and _is_number_or_text(point, source.scope_of(point.node))
    if point.kind != "use" or point.name in names.private:
        return True
    if point.name in names.local or point.name in names.globals or point.node is None:
        return False
    return not any(
        point.name in outer.written | outer.nonlocals | (outer.written_globals if is_module else set())
        for outer, is_module in (
            (names_of(scope), isinstance(scope, ast.Module))
            for scope in source.scopes_around(source.scope_of(point.node))
        )
    )


def onwards(flow: DataFlow, start: int, without: Collection[int]) -> set[int]:
    """Return the nodes that run after a node without an error, without passing a node of ``without``."""
    points = flow.points
    seen: set[int] = set()
    todo = [start]
    while todo:
        number = todo.pop()
        point = points[number]
        fails = {"use", "capture", "load", "effect"}
        for after in point.after:
            is_error = point.kind in fails and after == point.guard and len(point.after) > 1
            if not is_error and after not in without and after not in seen:
                seen.add(after)
                todo.append(after)
    return seen


def misses(flow: DataFlow, start: int, goals: Collection[int], within: Collection[int] = ()) -> bool:
    """Whether control may go from a node to another statement or the end without passing a goal."""
    for number in onwards(flow, start, goals):
        point = flow.points[number]
        if number == EXIT or (isinstance(point.node, ast.stmt) and point.kind == "join" and number not in within):
            return True
    return False
