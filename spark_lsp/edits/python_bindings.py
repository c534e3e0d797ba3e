"""Find every place in a Python file where a variable, function, class or import is used by its name. Pure.

A place is only given where the scopes leave no doubt; anything else makes the whole answer ``Unclear``.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from spark_lsp.actions.python.analysis.scopes import (
    COMPREHENSIONS,
    FUNCTIONS,
    Comprehension,
    ScopeNames,
    names_of,
    target_names,
)
from spark_lsp.actions.python.analysis.source import Scope, Source
from spark_lsp.text.edit import Span

_NAMED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
Owner = Scope | Comprehension


@dataclass(frozen=True, slots=True)
class Unclear:
    """Why it is not certain what a name means."""

    message: str


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One place of a name; ``defines`` where it gives the name its meaning, ``node`` is what holds it."""

    span: Span
    defines: bool
    node: ast.AST = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binding:
    """A name of one scope with all its places in order of text."""

    owner: Owner = field(compare=False, repr=False)
    places: tuple[Occurrence, ...]

    @property
    def spans(self) -> frozenset[Span]:
        """Where the name stands."""
        return frozenset(place.span for place in self.places)

    @property
    def first_definition(self) -> Occurrence | None:
        """The first place that gives the name a meaning."""
        return next((place for place in self.places if place.defines), None)


class Bindings:
    """The bindings of one file; what was read of its scopes is kept."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._names: dict[int, ScopeNames] = {}

    def at(self, name: str, span: Span) -> Binding | Unclear:
        """Return the binding that a name at a place belongs to."""
        places = list(self._places(name))
        if isinstance(doubt := _doubt(places), Unclear):
            return doubt
        owner = next((owner for place, owner in places if place.span == span and owner is not None), None)
        if owner is None:
            return Unclear(f"{name} is not a name there")
        return self._of_owner(name, owner, places)

    def of_node(self, name: str, node: ast.AST) -> Binding | Unclear:
        """Return the binding that a node gives to a name, or takes it from."""
        places = list(self._places(name))
        if isinstance(doubt := _doubt(places), Unclear):
            return doubt
        owner = next((owner for place, owner in places if place.node is node and owner is not None), None)
        return self._of_owner(name, owner, places) if owner is not None else Unclear(f"{name} has no place there")

    def owner_of(self, node: ast.AST, name: str) -> Owner:
        """Return the scope that a name read at a node belongs to; the module where none has it."""
        sees_classes = True
        for scope in self._scopes_of(node):
            if isinstance(scope, ast.ClassDef) and not sees_classes:
                continue
            sees_classes = False
            if isinstance(scope, COMPREHENSIONS):
                if name in target_names(generator.target for generator in scope.generators):
                    return scope
                continue
            names = self._names_of(scope)
            if name in names.globals:
                return self.source.tree
            if name in names.local:
                return scope
        return self.source.tree

    def _scopes_of(self, node: ast.AST) -> Iterator[Owner]:
        """Yield the scopes in which a node is evaluated, from the nearest outwards; the module is left out."""
        is_first_iterable = False
        for child, parent in self.source.around(node):
            if isinstance(parent, ast.comprehension):
                is_first_iterable = child is parent.iter
            elif isinstance(parent, COMPREHENSIONS):
                if not (is_first_iterable and child is parent.generators[0]):
                    yield parent
            elif isinstance(parent, (*FUNCTIONS, ast.ClassDef)) and _is_in_body(child, parent):
                yield parent

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the file."""
        return list(ast.walk(self.source.tree))

    def nodes_named(self, name: str) -> list[ast.AST]:
        """Return the nodes that say a name, attributes and keywords aside."""
        return self._by_name.get(name, [])

    @cached_property
    def _by_name(self) -> dict[str, list[ast.AST]]:
        """The nodes that say each name; a node may say several."""
        nodes: dict[str, list[ast.AST]] = {}
        for node in self.nodes:
            for name in _names_in(node):
                nodes.setdefault(name, []).append(node)
        return nodes

    def _of_owner(self, name: str, owner: Owner, places: list[tuple[Occurrence, Owner | None]]) -> Binding | Unclear:
        own = sorted((place for place, home in places if home is owner), key=lambda place: place.span)
        if not any(place.defines for place in own):
            return Unclear(f"nothing in the file defines {name}")
        if len({place.span for place in own}) != len(own):
            return Unclear(f"two names stand at one place of {name}")
        if isinstance(owner, ast.ClassDef) and self._reads_class_name(name, owner, own):
            return Unclear(f"{name} may belong to the class or to the outer scope")
        if any(_reads_names(node) for node in ast.walk(owner)):
            return Unclear("names are looked up at run time")
        return Binding(owner, tuple(own))

    def _reads_class_name(self, name: str, owner: ast.ClassDef, own: list[Occurrence]) -> bool:
        """Whether a class body reads a name that the scope around has as well."""
        reads = any(isinstance(place.node, ast.Name) and isinstance(place.node.ctx, ast.Load) for place in own)
        around = [self._names_of(scope).local for scope in self.source.scopes_around(owner)]
        return reads and any(name in names for names in around)

    def _names_of(self, scope: ast.AST) -> ScopeNames:
        names = self._names.get(id(scope))
        if names is None:
            names = self._names[id(scope)] = names_of(scope)
        return names

    def _places(self, name: str) -> Iterator[tuple[Occurrence, Owner | None]]:
        """Yield every place of a name with its scope; None where the place cannot be found in the text."""
        for node in self._by_name.get(name, ()):
            if isinstance(node, ast.Name) and node.id == name:
                yield from self._placed(node, self.source.span(node), not isinstance(node.ctx, ast.Load), name)
            elif isinstance(node, ast.arg) and node.arg == name:
                start = self.source.span(node).start
                arguments = self.source.parent(node)
                function = self.source.parent(arguments) if arguments is not None else None
                owner = function if isinstance(function, FUNCTIONS) else None
                yield Occurrence(Span(start, start + len(name)), defines=True, node=node), owner
            elif isinstance(node, _NAMED) and node.name == name:
                yield self._definition(node, name)
            elif isinstance(node, ast.alias) and (node.asname or node.name.split(".")[0]) == name:
                yield self._alias(node, name)
            elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name == name:
                yield self._searched(node, name)
            elif isinstance(node, ast.MatchMapping) and node.rest == name:
                yield Occurrence(Span(0, 0), defines=True, node=node), None
            elif isinstance(node, ast.Global | ast.Nonlocal) and name in node.names:
                yield self._declared(node, name)
            elif getattr(node, "type_params", None) and any(p.name == name for p in node.type_params):  # type: ignore[attr-defined]
                yield Occurrence(Span(0, 0), defines=True, node=node), None

    def _placed(self, node: ast.AST, span: Span, defines: bool, name: str) -> Iterator[tuple[Occurrence, Owner | None]]:
        is_there = span.text(self.source.text) == name
        yield Occurrence(span, defines, node), self.owner_of(node, name) if is_there else None

    def _definition(self, node: ast.AST, name: str) -> tuple[Occurrence, Owner | None]:
        assert isinstance(node, _NAMED), "the caller has looked"
        start = self.source.keyword_start(node)
        match = re.compile(r"(?:async\s+)?(?:def|class)\s+").match(self.source.text, start)
        span = Span(match.end(), match.end() + len(name)) if match else Span(0, 0)
        is_there = span.text(self.source.text) == name
        return Occurrence(span, defines=True, node=node), self.owner_of(node, name) if is_there else None

    def _alias(self, node: ast.alias, name: str) -> tuple[Occurrence, Owner | None]:
        whole = self.source.span(node)
        start = whole.end - len(name) if node.asname else whole.start
        span = Span(start, start + len(name))
        is_there = span.text(self.source.text) == name and name != "*"
        return Occurrence(span, defines=True, node=node), self.owner_of(node, name) if is_there else None

    def _searched(
        self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar, name: str
    ) -> tuple[Occurrence, Owner | None]:
        """Find the name of ``except … as name:``, ``case … as name`` and ``case [*name]``."""
        whole = self.source.span(node)
        if isinstance(node, ast.ExceptHandler):
            start = self.source.span(node.type).end if node.type is not None else whole.start
            match = re.compile(rf"[\s)]*as\s+({re.escape(name)})\s*:").match(self.source.text, start)
        else:
            match = re.compile(rf"({re.escape(name)})\Z").search(self.source.text[: whole.end], whole.start)
        if match is None:
            return Occurrence(Span(0, 0), defines=True, node=node), None
        return Occurrence(Span(match.start(1), match.end(1)), defines=True, node=node), self.owner_of(node, name)

    def _declared(self, node: ast.Global | ast.Nonlocal, name: str) -> tuple[Occurrence, Owner | None]:
        whole = self.source.span(node)
        match = re.compile(rf"\b{re.escape(name)}\b").search(self.source.text, whole.start + 7, whole.end)
        if match is None:
            return Occurrence(Span(0, 0), defines=False, node=node), None
        span = Span(match.start(), match.end())
        if isinstance(node, ast.Global):
            return Occurrence(span, defines=False, node=node), self.source.tree
        scope = self.source.scope_of(node)
        homes = (around for around in self.source.scopes_around(scope) if isinstance(around, FUNCTIONS))
        owner = next((home for home in homes if name in self._names_of(home).local), None)
        return Occurrence(span, defines=False, node=node), owner


def _names_in(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.split(".")[0]
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
    elif isinstance(name := getattr(node, "name", None), str):
        yield name
    for parameter in getattr(node, "type_params", ()):
        yield parameter.name


def _doubt(places: list[tuple[Occurrence, Owner | None]]) -> Unclear | None:
    lost = next((place for place, owner in places if owner is None), None)
    return Unclear(f"a place of the name is not known ({type(lost.node).__name__})") if lost is not None else None


def _is_in_body(child: ast.AST, parent: ast.AST) -> bool:
    body = getattr(parent, "body", None)
    return child is body or (isinstance(body, list) and any(child is statement for statement in body))


def _reads_names(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    return node.func.id in {"eval", "exec", "locals"} or (node.func.id == "vars" and not node.args)
