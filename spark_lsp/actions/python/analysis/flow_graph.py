"""The points of a flow and the ways between them: what runs, where an error goes, what runs on the way out.

``finally`` and the end of ``with`` are built once for each way of leaving, so that what is certain after a normal end
stays certain. Pure; knows nothing of statements.
"""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "use", "ask", "inner", "capture", "bind", "unbind", "load", "effect", "join", "before", "after", "exit", "error"
]
"""``ask`` asks a name's object whether it is true, ``inner`` reads a loop name of a comprehension, ``capture`` makes a
closure that reads the name later, ``load`` reads an object and may fail, ``effect`` may do anything; ``before`` and
``after`` stand at the marked piece's ends."""

Leaving = Literal["return", "break", "continue"]

EXIT, ERROR = 0, 1
"""The numbers of the points where the scope ends: by returning, and by an error that nothing here catches."""


@dataclass(slots=True)
class ProgramPoint:
    """One step. ``inside`` when it belongs to the marked piece; ``guards`` numbers the handlers around it."""

    kind: Kind
    name: str
    node: ast.AST | None
    inside: bool
    guard: int
    after: list[int] = field(default_factory=list)


@dataclass(slots=True)
class ControlFlowGraph:
    """The points of a scope; 0 is its end by returning, 1 by an error, 2 its start."""

    points: list[ProgramPoint]

    def where(self, kind: Kind) -> list[int]:
        """Return the numbers of the points of a kind."""
        return [number for number, point in enumerate(self.points) if point.kind == kind]


@dataclass(slots=True)
class Loop:
    """A loop that is open: where ``continue`` goes, and where control stands that left by ``break``."""

    head: int
    broken: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Last:
    """Something that runs whichever way it is left: a ``finally``, the end of a ``with`` or of an ``except … as``."""

    emit: Callable[[], None]
    pending: dict[Leaving, list[int]] = field(default_factory=dict)


class GraphBuilder:
    """The points made so far and where control stands: ``frontier``, empty where nothing can run.

    ``guard`` is the point that an error goes to; ``around`` holds the loops and last things that are open.
    """

    def __init__(self, marked: Sequence[ast.AST]) -> None:
        self.points = [ProgramPoint("exit", "", None, False, 1), ProgramPoint("error", "", None, False, 1)]
        self.frontier: list[int] = []
        self.around: list[Loop | Last] = []
        self.guard = ERROR
        self._first = id(marked[0]) if marked else 0
        self._last = id(marked[-1]) if marked else 0
        self._inside = False

    def add(self, kind: Kind, node: ast.AST | None = None, name: str = "") -> int:
        """Add a point where control stands and go on from it; return its number."""
        number = len(self.points)
        self.points.append(ProgramPoint(kind, name, node, self._inside, self.guard))
        self.connect(number)
        self.frontier = [number]
        if kind not in {"ask", "bind", "unbind", "join", "before", "after", "inner"}:
            self.points[number].after.append(self.guard)
        return number

    def connect(self, to: int) -> None:
        """Let control go from where it stands to a point as well."""
        for number in self.frontier:
            if to not in self.points[number].after:
                self.points[number].after.append(to)

    def loose(self) -> int:
        """Make a join that nothing leads to yet."""
        kept, self.frontier = self.frontier, []
        number = self.add("join")
        self.frontier = kept
        return number

    def leave(self, how: Leaving) -> None:
        """Go where ``return``, ``break`` or ``continue`` leads, through what must run before."""
        for ancestor in reversed(self.around):
            if isinstance(ancestor, Last):
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
        """Run each branch from where control stands now; all meet behind."""
        start, ends = self.frontier, []
        for branch in branches:
            self.frontier = list(start)
            branch()
            ends += [number for number in self.frontier if number not in ends]
        self.frontier = ends

    def guarded(self, last: Last, body: Callable[[], None], *, suppresses: bool) -> None:
        """Run a body and, whichever way it is left, the last thing."""
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
        """Visit a node, with a point at each end of the marked piece."""
        if id(node) == self._first:
            self.add("before", node)
            self._inside = True
        visit(node)
        if id(node) == self._last:
            self._inside = False
            if self.frontier:
                self.add("after", node)
