"""Plan the function for a piece of code: parameters, results and control flow, or why there is none. Pure.

Every rule that refuses names the obstacle in one sentence.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.assumption import PROVED, Assumed
from spark_lsp.actions.python.analysis.control_flow import control_flow_of
from spark_lsp.actions.python.analysis.dataflow import DataFlow
from spark_lsp.actions.python.analysis.decorators import unknown_decorator
from spark_lsp.actions.python.analysis.lifetimes import lifetime_refusal
from spark_lsp.actions.python.analysis.scopes import FUNCTIONS, arguments, given_names, names_of, target_names
from spark_lsp.actions.python.analysis.selection import Piece, loop_names
from spark_lsp.actions.python.analysis.source import Scope, Source
from spark_lsp.actions.python.analysis.variable_readers import code_reader, variable_reader
from spark_lsp.actions.python.analysis.walks import (
    FRAME_NAMES,
    first_parameter,
    looks_at_frames,
    named_by,
    nodes_of,
    waits,
)
from spark_lsp.actions.python.target_scope import Form, form_of
from spark_lsp.actions.refusal import Refusal

_PLAIN_CALLS: Final = frozenset(
    {
        *("abs", "all", "any", "bool", "bytes", "dict", "divmod", "enumerate", "float", "format", "frozenset", "hash"),
        *("int", "isinstance", "len", "list", "max", "min", "ord", "pow", "print", "range", "repr", "reversed"),
        *("round", "set", "sorted", "str", "sum", "tuple", "type", "zip"),
    }
)
"""Builtins that look up no name of a module."""
_CLOSERS: Final = frozenset({"aclose", "cleanup", "close", "shutdown", "terminate"})


@dataclass(frozen=True, slots=True)
class ExtractionPlan:
    """How a piece becomes a function. ``returns`` if the outer function returns the call's value."""

    form: Form
    parameters: tuple[str, ...]
    results: tuple[str, ...]
    returns: bool
    is_async: bool
    is_generator: bool
    globals: tuple[str, ...]
    receiver: str = ""
    """The implicit first parameter of a method: ``self`` or ``cls``."""


def plan(source: Source, piece: Piece, assumed: Assumed = PROVED) -> ExtractionPlan | Refusal:
    """Return the plan for a piece, or in one sentence why there is none."""
    if isinstance(piece.scope, ast.ClassDef):
        return Refusal(
            "placement", "The selection is in the body of a class, where a name becomes an attribute.", is_local=True
        )
    return _Planner(source, piece, assumed).plan()


class _Planner:
    """Computes the plan for one piece."""

    def __init__(self, source: Source, piece: Piece, assumed: Assumed) -> None:
        self._source = source
        self._assumed = assumed
        self._piece = piece
        self._scope = piece.scope
        self._names = names_of(self._scope)
        self._is_module = isinstance(self._scope, ast.Module)
        live_out = self._names.local if self._is_module else set()
        self._flow = DataFlow(
            control_flow_of(self._scope, piece.nodes, source.managers), given_names(self._scope), live_out
        )
        points = self._flow.points
        self._inside = [number for number, point in enumerate(points) if point.inside]
        self._before = self._flow.graph.where("before")
        self._ends = self._flow.graph.where("after")
        self._bound = {points[n].name for n in self._inside if points[n].kind in {"bind", "unbind"}}
        self._read = {points[n].name for n in self._inside if points[n].kind in {"use", "capture"}}

    def plan(self) -> ExtractionPlan | Refusal:
        """Apply each rule in turn and return the first refusal."""
        for refusal in self._refusals():
            if refusal:
                return refusal
        needed = self._needed()
        results = self._results()
        own = self._flow.definitely_assigned_inside(self._ends)
        parameters = sorted((needed | (results - own)) - self._names.globals, key=self._order)
        for refusal in self._doubts(set(parameters), needed, results):
            if refusal:
                return refusal
        form = form_of(self._source, self._piece, set(parameters), self._bound)
        if form is None:
            return Refusal(
                "scope", "The selection uses super() or a private name of its class, and cannot become a method here."
            )
        receiver = first_parameter(self._scope) if form != "function" else ""
        return ExtractionPlan(
            form=form,
            parameters=tuple(parameter for parameter in parameters if parameter != receiver),
            results=tuple(sorted(results, key=self._order)),
            returns=self._has_return(),
            is_async=any(waits(node) for node in self._walk()),
            is_generator=any(isinstance(node, ast.Yield | ast.YieldFrom) for node in self._walk()),
            globals=tuple(sorted(self._bound & self._names.globals)),
            receiver=receiver,
        )

    # Parameters and results

    def _needed(self) -> set[str]:
        """Return the names whose earlier value the piece reads and that the new function does not see."""
        if self._is_module:
            return {name for name in self._flow.needed() if name in self._bound} | self._loop_names()
        visible = self._names.local | {name for name, _owner in self._outer_names()}
        return {name for name in self._flow.needed() if name in visible} | self._loop_names()

    def _loop_names(self) -> set[str]:
        """Return the loop names of enclosing comprehensions that an expression reads."""
        node = self._piece.nodes[0]
        if not isinstance(node, ast.expr):
            return set()
        names = names_of(ast.Expr(node))
        return loop_names(self._source, node, self._scope) & (names.used | names.passed)

    def _outer_names(self) -> Iterator[tuple[str, Scope]]:
        """Yield the names of outer functions that this one sees, with their owners."""
        seen = set(self._names.local | self._names.globals)
        for scope in self._source.scopes_around(self._scope):
            if isinstance(scope, FUNCTIONS):
                names = names_of(scope)
                for name in sorted(names.local - seen):
                    yield name, scope
                seen |= names.local | names.globals

    def _results(self) -> set[str]:
        if self._has_return():
            return set()
        if self._is_module:  # other functions may look up any of them, also before it is assigned again
            return self._bound - self._names.globals
        return (self._bound & self._flow.live(self._ends)) - self._names.globals

    def _order(self, name: str) -> tuple[int, str]:
        """Sort parameters: those of the outer function first, the others by first use."""
        if isinstance(self._scope, FUNCTIONS):
            given = [parameter.arg for parameter in arguments(self._scope.args)]
            if name in given:
                return given.index(name), name
        numbers = (n for n, point in enumerate(self._flow.points) if point.name == name)
        return 1000 + next(numbers, 0), name

    # Refusals

    def _refusals(self) -> Iterator[Refusal | None]:
        yield self._unreached()
        yield self._statement_kinds()
        yield self._jumps()
        yield self._looks_at_frames()
        yield self._reads_code()
        yield self._declared()
        yield self._taken_away()
        yield self._lost_on_the_way_out()
        yield self._closures()
        yield self._left_behind()
        yield self._looked_up()
        yield self._outlived()

    def _unreached(self) -> Refusal | None:
        if not self._before:
            return Refusal("paths", "The selection runs later than the code around it, or never.", is_local=True)
        if not self._inside:
            return Refusal("selection", "The selection has no code for a function.")
        return None

    def _statement_kinds(self) -> Refusal | None:
        for node in self._walk():
            if refusal := self._statement_kind(node):
                return refusal
        body = getattr(self._scope, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if first is self._piece.nodes[0] and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            return Refusal(
                "placement", "The selection contains the docstring of the enclosing function.", is_local=True
            )
        return None

    def _statement_kind(self, node: ast.AST) -> Refusal | None:
        """Refuse a statement that a function cannot contain, or not in that place."""
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            return Refusal("placement", "The selection contains an import from __future__, which must begin the file.")
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return Refusal("scope", "The selection imports every name of a module.")
        if self._is_module and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return Refusal("owner", f"The selection defines {node.name}, which belongs to the module.")
        if self._is_module and isinstance(node, ast.AnnAssign):
            return Refusal("owner", "The selection annotates a name of the module.")
        if isinstance(node, ast.Yield | ast.YieldFrom) and isinstance(self._scope, ast.AsyncFunctionDef):
            message = "The selection yields in an asynchronous function, which no call can pass on."
            return Refusal("jump", message, is_local=True)
        return None

    def _jumps(self) -> Refusal | None:
        own = list(self._walk())
        for node in own:
            if isinstance(node, ast.Break | ast.Continue) and not self._has_loop(node):
                word = "break" if isinstance(node, ast.Break) else "continue"
                return Refusal("jump", f"The selection contains a {word} of an outer loop.", is_local=True)
        if not self._has_return() or not self._ends or self._is_last():
            return None
        return Refusal("jump", "Some paths through the selection return and others continue.", is_local=True)

    def _has_loop(self, node: ast.AST) -> bool:
        """Whether the loop of a break or continue is selected too."""
        chosen = {id(chosen_node) for chosen_node in self._piece.nodes}
        for child, parent in self._source.around(node):
            is_selected = id(child) in chosen
            if isinstance(parent, ast.For | ast.AsyncFor | ast.While) and not any(child is e for e in parent.orelse):
                return not is_selected
            if is_selected:
                return False
        return False

    def _is_last(self) -> bool:
        """Whether nothing runs between the selection's end and the function's."""
        points = self._flow.points
        todo, seen = list(self._ends), set(self._ends)
        while todo:
            for after in points[todo.pop()].after:
                if points[after].kind == "exit":
                    continue
                if points[after].kind not in {"join", "after"}:
                    return False
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
        return True

    def _looks_at_frames(self) -> Refusal | None:
        own = {id(node) for node in self._walk()}
        frames = FRAME_NAMES if "reflection" in self._assumed else looks_at_frames(self._source.tree)
        for node in nodes_of(self._scope):
            name = named_by(node)
            if id(node) in own and name in frames:
                message = f"The selection uses {name}, which inspects its caller."
                return Refusal("reflection", message, assumption=None if name in FRAME_NAMES else "reflection")
            if id(node) in own and isinstance(node, ast.keyword) and node.arg == "stacklevel":
                return Refusal("reflection", "The selection uses stacklevel, which counts the calling frames.")
        return None

    def _reads_code(self) -> Refusal | None:
        """Refuse if code reads the variables of the outer function, or its code object."""
        if self._is_module:
            return None
        return (
            variable_reader(self._source, self._scope, nodes_of(self._scope))
            or code_reader(self._source, self._scope, assumed=self._assumed)
            or unknown_decorator(self._source, self._scope)
        )

    def _looked_up(self) -> Refusal | None:
        """Refuse if a module name that the selection binds may be looked up while the selection runs."""
        if not self._is_module or not self._bound:
            return None
        is_assumed = "reflection" in self._assumed
        if any(_is_module_lookup(node) for node in (ast.walk(self._source.tree) if is_assumed else self._walk())):
            return Refusal("reflection", f"{min(self._bound)} may be looked up in the module.")
        if is_assumed:
            return None
        points = self._flow.points
        first = [n for n in self._inside if points[n].kind == "bind"]
        later = self._flow.reached(first) & set(self._inside)
        for number in sorted(later):
            node = points[number].node
            if points[number].kind == "effect" and not _is_plain_call(node):
                called = named_by(node.func) if isinstance(node, ast.Call) else ""
                what = called or "What runs in the selection"
                message = f"{what} may look up {min(self._bound)} in the module."
                return Refusal("reflection", message, assumption="reflection")
        return None

    def _outlived(self) -> Refusal | None:
        """Refuse if an object that acts when it is finalized would be finalized at the end of the new function."""
        if self._is_module or self._is_last():
            return None
        closed = {
            node.func.value.id
            for node in self._walk()
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _CLOSERS
            and isinstance(node.func.value, ast.Name)
        }
        kept = self._results() | self._names.globals | closed
        for node in self._walk():
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            names = target_names([target for target in targets if target is not None]) - kept
            is_assignment = isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr)
            if names and is_assignment:
                message = f"{min(names)} may hold an object that is closed when it is finalized."
                value = getattr(node, "value", None)
                if refusal := lifetime_refusal(self._source, value, message, self._assumed):
                    return refusal
        return None

    def _declared(self) -> Refusal | None:
        for node in self._walk():
            if isinstance(node, ast.Global | ast.Nonlocal):
                return Refusal(
                    "scope", f"The selection declares {node.names[0]} for the whole function.", is_local=True
                )
        for name in sorted(self._bound & self._names.nonlocals):
            return Refusal("scope", f"The selection assigns {name}, which belongs to an outer function.", is_local=True)
        touched = self._bound | self._read
        for name, owner in [*((name, self._scope) for name in sorted(self._names.local)), *self._outer_names()]:
            if name in touched and name in names_of(owner).written:
                return Refusal(
                    "closure", f"{name} is changed by an inner function, which a copy would not see.", is_local=True
                )
        if self._is_module:
            for name in sorted(self._bound & self._names.written_globals):
                return Refusal("closure", f"{name} is changed by a function of the module while the selection runs.")
            for name in sorted(self._bound):
                if name.startswith("__") and name.endswith("__"):
                    return Refusal("owner", f"The selection assigns {name}, which other code reads from the module.")
        return None

    def _taken_away(self) -> Refusal | None:
        own = self._flow.definitely_assigned_inside
        for number in self._inside:
            point = self._flow.points[number]
            if point.kind == "unbind" and isinstance(point.node, ast.Name) and point.name not in own([number]):
                return Refusal(
                    "unbound", f"The selection deletes {point.name}, which is assigned before it.", is_local=True
                )
            if point.kind == "unbind" and point.name in self._names.globals:
                return Refusal("scope", f"The selection deletes the global name {point.name}.")
        return None

    def _lost_on_the_way_out(self) -> Refusal | None:
        """Return the names that a handler or exit code would read with their old value."""
        points = self._flow.points
        outside = {
            after
            for number in self._inside
            for after in points[number].after
            if not points[after].inside and points[after].kind != "after"
        }
        lost = (self._bound - self._names.globals) & self._flow.live(outside)
        for name in sorted(lost):
            return Refusal(
                "changed", f"{name} is read after an error or return in the selection, and its value would be lost."
            )
        return None

    def _closures(self) -> Refusal | None:
        points = self._flow.points
        later = self._flow.reached(self._ends)
        rebound = {points[number].name for number in later if points[number].kind in {"bind", "unbind"}}
        outer = dict(self._outer_names())
        for number, point in enumerate(points):
            is_loop_name = point.inside and point.kind == "inner" and not isinstance(point.node, ast.Name)
            if is_loop_name and point.name in self._loop_names():
                return Refusal(
                    "closure",
                    f"A function defined in the selection reads {point.name} of the outer loop.",
                    is_local=True,
                )
            if point.kind != "capture":
                continue
            if point.inside and point.name in outer and self._may_change(point.name, outer[point.name]):
                return Refusal(
                    "closure",
                    f"A function defined in the selection reads {point.name}, which an outer function may change.",
                    is_local=True,
                )
            if point.inside and point.name in rebound and point.name in self._names.local:
                return Refusal(
                    "closure",
                    f"A function defined in the selection reads {point.name}, which is assigned again after it.",
                    is_local=True,
                )
            if (
                not point.inside
                and point.name in self._bound
                and not set(self._inside).isdisjoint(self._flow.reached([number]))
            ):
                return Refusal(
                    "closure",
                    f"A function defined before the selection reads {point.name}, which the selection assigns.",
                    is_local=True,
                )
        return None

    def _left_behind(self) -> Refusal | None:
        """Refuse a name that only the selection assigns if other code reads it, because it would become global."""
        if self._is_module:
            return None
        points = self._flow.points
        results = self._results()
        elsewhere = [point for point in points if not point.inside]
        for name in sorted(self._bound - results - self._names.globals):
            is_bound = any(point.name == name and point.kind == "bind" for point in elsewhere)
            is_read = any(point.name == name and point.kind in {"use", "capture"} for point in elsewhere)
            if is_read and not is_bound and name not in given_names(self._scope):
                return Refusal("scope", f"{name} is read outside the selection, but only assigned inside it.")
        return None

    def _doubts(self, parameters: set[str], needed: set[str], results: set[str]) -> Iterator[Refusal | None]:
        """Yield what is uncertain about the names that would be passed."""
        certain = self._flow.definitely_assigned(self._before) | self._loop_names()
        outer = dict(self._outer_names())
        for name in sorted(parameters):
            if name in outer:
                if not self._is_set(name, outer[name]):
                    yield Refusal("unbound", f"{name} may have no value when the selection starts.")
            elif name not in certain:
                yield Refusal(
                    "unbound", f"{name} may have no value when the selection {'starts' if name in needed else 'ends'}."
                )
        own = self._flow.definitely_assigned_inside(self._ends)
        unbound = {self._flow.points[n].name for n in self._inside if self._flow.points[n].kind == "unbind"}
        for name in sorted(results - own):
            if name in unbound:
                yield Refusal("unbound", f"{name} may have no value when the selection ends.")
        if results and self._piece.is_expression:
            yield Refusal("scope", f"The selection assigns {min(results)}, which is read after it.")
        is_interrupted = any(waits(node) or isinstance(node, ast.Yield | ast.YieldFrom) for node in self._walk())
        for name in sorted(parameters & outer.keys()):
            if is_interrupted and self._may_change(name, outer[name]):
                yield Refusal("changed", f"{name} may be changed by the outer function while the selection awaits.")

    def _is_set(self, name: str, owner: Scope) -> bool:
        """Whether a name of an outer function always has a value when this function runs."""
        flow = DataFlow(control_flow_of(owner, [self._statement_in(owner)], self._source.managers), given_names(owner))
        starts = flow.graph.where("before")
        return bool(starts) and name in flow.definitely_assigned(starts) and not _takes_away(flow, name)

    def _may_change(self, name: str, owner: Scope) -> bool:
        """Whether an outer function may assign a name again after it has defined this function."""
        flow = control_flow_of(owner, [self._statement_in(owner)], self._source.managers)
        after = DataFlow(flow, given_names(owner)).reached(flow.where("before"))
        return any(flow.points[number].kind == "bind" and flow.points[number].name == name for number in after)

    def _statement_in(self, owner: Scope) -> ast.stmt:
        """Return the statement of an outer function that defines this function."""
        inner: ast.AST = self._scope
        while self._source.scope_of(inner) is not owner:
            inner = self._source.scope_of(inner)
        return self._source.statement_of(inner)

    def _has_return(self) -> bool:
        return any(isinstance(node, ast.Return) for node in self._walk())

    def _walk(self) -> Iterator[ast.AST]:
        """Yield the selection's nodes without those of inner functions and classes."""
        for node in self._piece.nodes:
            yield from nodes_of(node, itself=True)


def _is_module_lookup(node: ast.AST) -> bool:
    """Whether a node may look up the names of its own module while that is being run."""
    is_main = isinstance(node, ast.Constant) and node.value == "__main__"
    return is_main or named_by(node) in {"__name__", "globals", "modules", "import_module", "__import__"}


def _is_plain_call(node: ast.AST | None) -> bool:
    """Whether a call is of a builtin that looks up no name; binding and looping are no calls."""
    if isinstance(node, ast.Call):
        is_of_literal = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Constant)
        return is_of_literal or (isinstance(node.func, ast.Name) and node.func.id in _PLAIN_CALLS)
    return isinstance(node, ast.For | ast.AugAssign | ast.comprehension | ast.Raise | ast.Assert | ast.Expr)


def _takes_away(flow: DataFlow, name: str) -> bool:
    return any(point.kind == "unbind" and point.name == name for point in flow.points)
