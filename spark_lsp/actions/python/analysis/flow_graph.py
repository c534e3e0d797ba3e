"""The nodes and edges of a control-flow graph: what runs, where an error goes, what runs on the way out. Pure.

``finally`` and the end of ``with`` are added once for each kind of exit, so that what is certain after a normal exit
stays certain. Knows nothing of statements.
"""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

PointKind = Literal[
    "use", "ask", "inner", "capture", "bind", "unbind", "load", "effect", "join", "before", "after", "exit", "error"
]
"""Kinds of nodes. ``ask`` tests a name's object for truth, ``inner`` reads a loop name of a comprehension, ``capture``
creates a closure that reads the name later, ``load`` reads an object and may fail, ``effect`` may do anything;
``before`` and ``after`` are the ends of the marked piece."""

Leaving = Literal["return", "break", "continue"]

EXIT, ERROR = 0, 1
"""The numbers of the nodes where the scope ends: by returning, and by an error that is not caught here."""


@dataclass(slots=True)
class ProgramPoint:
    """One step. ``inside`` if it belongs to the marked piece; ``guards`` are the numbers of its error handlers."""

    kind: PointKind
    name: str
    node: ast.AST | None
    inside: bool
    guard: int
    after: list[int] = field(default_factory=list)


@dataclass(slots=True)
class ControlFlowGraph:
    """The nodes of a scope; 0 is its end by returning, 1 its end by an error, 2 its start."""

    points: list[ProgramPoint]

    def where(self, kind: PointKind) -> list[int]:
        """Return the numbers of the nodes of a kind."""
        return [number for number, point in enumerate(self.points) if point.kind == kind]


@dataclass(slots=True)
class Loop:
    """An open loop: the target of ``continue``, and the nodes that left by ``break``."""

    head: int
    broken: list[int] = field(default_factory=list)


@dataclass(slots=True)
class FinalStep:
    """Code that runs on every exit: a ``finally``, the end of a ``with`` or of an ``except … as``."""

    emit: Callable[[], None]
    pending: dict[Leaving, list[int]] = field(default_factory=dict)


class GraphBuilder:
    """The nodes so far and the current ends of control: ``frontier``, empty if nothing can run.

    ``guard`` is the node that an error goes to; ``around`` has the open loops and exit code.
    """

    def __init__(self, marked: Sequence[ast.AST]) -> None:
        self.points = [ProgramPoint("exit", "", None, False, 1), ProgramPoint("error", "", None, False, 1)]
        self.frontier: list[int] = []
        self.around: list[Loop | FinalStep] = []
        self.guard = ERROR
        self._first = id(marked[0]) if marked else 0
        self._last = id(marked[-1]) if marked else 0
        self._inside = False

    def add(self, kind: PointKind, node: ast.AST | None = None, name: str = "") -> int:
        """Add a node after the frontier and make it the frontier; return its number."""
        number = len(self.points)
        self.points.append(ProgramPoint(kind, name, node, self._inside, self.guard))
        self.connect(number)
        self.frontier = [number]
        if kind not in {"ask", "bind", "unbind", "join", "before", "after", "inner"}:
            self.points[number].after.append(self.guard)
        return number

    def connect(self, to: int) -> None:
        """Add edges from the frontier to a node."""
        for number in self.frontier:
            if to not in self.points[number].after:
                self.points[number].after.append(to)

    def loose(self) -> int:
        """Add a join without incoming edges."""
        kept, self.frontier = self.frontier, []
        number = self.add("join")
        self.frontier = kept
        return number

    def leave(self, how: Leaving) -> None:
        """Add the exit by ``return``, ``break`` or ``continue``, through the exit code on its way."""
        for ancestor in reversed(self.around):
            if isinstance(ancestor, FinalStep):
                ancestor.pending.setdefault(how, []).extend(self.frontier)
                self.frontier = []
                return
            if how == "break":
                ancestor.broken.extend(self.frontier)
                self.frontier = []
                return
            if how == "continue":
                self.connect(ancestor.head)
                self.frontier = []
                return
        self.connect(EXIT)
        self.frontier = []

    def branch(self, *branches: Callable[[], None]) -> None:
        """Add each branch after the frontier; all join at the end."""
        start, ends = self.frontier, []
        for branch in branches:
            self.frontier = list(start)
            branch()
            ends += [number for number in self.frontier if number not in ends]
        self.frontier = ends

    def guarded(self, last: FinalStep, body: Callable[[], None], *, suppresses: bool) -> None:
        """Add a body and its exit code for every kind of exit."""
        outer = self.guard
        failed = self.loose()
        self.guard = failed
        self.around.append(last)
        body()
        self.around.pop()
        self.guard = outer
        if self.frontier:
            last.emit()
        normal = self.frontier
        for how, pending in last.pending.items():
            self.frontier = pending
            if self.frontier:
                last.emit()
                self.leave(how)
        self.frontier = [failed]
        last.emit()
        self.connect(outer)
        self.frontier = [*normal, *(self.frontier if suppresses else [])]

    def marking(self, node: ast.AST, visit: Callable[[ast.AST], None]) -> None:
        """Visit a node, and add a node at each end of the marked piece."""
        if id(node) == self._first:
            self.add("before", node)
            self._inside = True
        visit(node)
        if id(node) == self._last:
            self._inside = False
            if self.frontier:
                self.add("after", node)
