"""Compute live names, and possibly and definitely assigned names, at each node of a control-flow graph. Pure.

Sets are bits of a number; loops are iterated until nothing changes.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

from spark_lsp.actions.python.analysis.flow_graph import ERROR, EXIT, ControlFlowGraph, ProgramPoint

START = 2
"""The number of a graph's first node."""


class DataFlow:
    """Answers about one graph. ``live_out`` are names that are read after the scope ends normally, as of a module."""

    def __init__(self, graph: ControlFlowGraph, given: Iterable[str], live_out: Iterable[str] = ()) -> None:
        self.graph = graph
        self.points = graph.points
        names = {point.name for point in graph.points if point.name} | set(given) | set(live_out)
        self._bits = {name: 1 << number for number, name in enumerate(sorted(names))}
        self._given = self._mask(given)
        self._live_out = self._mask(live_out)
        self._before: list[list[int]] = [[] for _ in graph.points]
        for number, point in enumerate(graph.points):
            for after in point.after:
                self._before[after].append(number)
        self._order = self._reverse_postorder()

    def live(self, points: Collection[int]) -> set[str]:
        """Return the names that may be read from one of these nodes on, before they are bound again."""
        held = self._live_before(lambda _point: True, self._live_out)
        return self._names(_union(held[number] for number in points))

    def needed(self) -> set[str]:
        """Return the names that the marked piece may read before it has bound them."""
        held = self._live_before(lambda point: point.inside or point.kind == "before", 0)
        return self._names(_union(held[number] for number in self.graph.where("before")))

    def definitely_assigned(self, points: Collection[int]) -> set[str]:
        """Return the names that have a value at each of these nodes, on every path."""
        held = self._bound_before(START, self._given)
        return self._names(_intersection([held[number] for number in points], self._all))

    def definitely_assigned_inside(self, points: Collection[int]) -> set[str]:
        """Return the names that the marked piece itself has certainly bound when control is at these nodes."""
        sets = []
        for start in self.graph.where("before"):
            held = self._bound_before(start, 0, lambda point: point.inside or point.kind == "after")
            sets.append(_intersection([held[number] for number in points], self._all))
        return self._names(_intersection(sets, self._all))

    def unsure(self, names: Collection[str]) -> set[int]:
        """Return the nodes that read one of these names where it may have no value."""
        held = self._bound_before(START, self._given)
        return {
            number
            for number, point in enumerate(self.points)
            if point.kind == "use" and point.name in names and not held[number] & self._bits[point.name]
        }

    def reached(self, starts: Iterable[int], *, without: Collection[int] = ()) -> set[int]:
        """Return the nodes that can run after these, without passing a node of ``without``."""
        return _walk(starts, lambda number: self.points[number].after, without)

    def reaching(self, ends: Iterable[int], *, without: Collection[int] = ()) -> set[int]:
        """Return the nodes after which these can run, without passing a node of ``without``."""
        return _walk(ends, lambda number: self._before[number], without)

    @property
    def _all(self) -> int:
        return (1 << len(self._bits)) - 1

    def _mask(self, names: Iterable[str]) -> int:
        return _union(self._bits[name] for name in names)

    def _names(self, bits: int) -> set[str]:
        return {name for name, bit in self._bits.items() if bits & bit}

    def _live_before(self, counts: Callable[[ProgramPoint], bool], live_out: int) -> list[int]:
        held = [0] * len(self.points)
        held[EXIT] = live_out
        changed = True
        while changed:
            changed = False
            for number in reversed(self._order):
                point = self.points[number]
                if number in (EXIT, ERROR) or not counts(point):
                    continue
                bits = _union(held[after] for after in point.after)
                bit = self._bits.get(point.name, 0)
                if point.kind in {"bind", "unbind"}:
                    bits &= ~bit
                elif point.kind in {"use", "capture"}:
                    bits |= bit
                if bits != held[number]:
                    held[number], changed = bits, True
        return held

    def _bound_before(
        self, start: int, given: int, counts: Callable[[ProgramPoint], bool] = lambda _point: True
    ) -> list[int]:
        """Return the names that every path from the start binds before each node; all names if no path leads there."""
        held = [self._all] * len(self.points)
        held[start] = given
        changed = True
        while changed:
            changed = False
            for number in self._order:
                if number == start or not counts(self.points[number]):
                    continue
                ways = [self._after(held, source) for source in self._before[number]]
                bits = _intersection(ways, self._all)
                if bits != held[number]:
                    held[number], changed = bits, True
        return held

    def _after(self, held: Sequence[int], number: int) -> int:
        point = self.points[number]
        bit = self._bits.get(point.name, 0)
        if point.kind == "bind":
            return held[number] | bit
        return held[number] & ~bit if point.kind == "unbind" else held[number]

    def _reverse_postorder(self) -> list[int]:
        seen, order = {START}, []
        stack = [(START, iter(self.points[START].after))]
        while stack:
            number, rest = stack[-1]
            for after in rest:
                if after not in seen:
                    seen.add(after)
                    stack.append((after, iter(self.points[after].after)))
                    break
            else:
                order.append(number)
                stack.pop()
        return order[::-1]


def _union(sets: Iterable[int]) -> int:
    bits = 0
    for members in sets:
        bits |= members
    return bits


def _intersection(sets: Iterable[int], everything: int) -> int:
    bits = everything
    for members in sets:
        bits &= members
    return bits


def _walk(starts: Iterable[int], step: Callable[[int], Iterable[int]], without: Collection[int]) -> set[int]:
    seen: set[int] = set()
    stack = [after for start in starts for after in step(start)]
    while stack:
        number = stack.pop()
        if number in seen or number in without:
            continue
        seen.add(number)
        stack += step(number)
    return seen
