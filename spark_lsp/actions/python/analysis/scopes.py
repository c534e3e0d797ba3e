"""Collect the names that a Python scope binds, reads and takes from outer scopes. Pure; uses ``ast`` alone.

A comprehension is part of its scope, except for its loop names; a class body hides its names from
the functions within.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
SCOPES: Final = (*FUNCTIONS, ast.ClassDef)


@dataclass(slots=True)
class ScopeNames:
    """The names of one scope. ``bound`` has parameters and assigned names; ``used`` has the names that are read."""

    bound: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    """Names that inner scopes take from outer scopes."""
    is_class: bool = False
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    """Names of outer scopes that an inner scope rebinds: by ``nonlocal``, or late by ``:=``."""
    written_globals: set[str] = field(default_factory=set)
    """Names that this scope or an inner one declares global."""

    @property
    def local(self) -> set[str]:
        """Names that belong to this scope."""
        return self.bound - self.globals - self.nonlocals

    @property
    def private(self) -> set[str]:
        """Names of this scope that only its own statements assign."""
        return self.local - self.written - self.written_globals

    @property
    def free(self) -> set[str]:
        """Names that are read or written here and belong to an outer scope."""
        own = self.local | self.globals
        return ((self.used | self.nonlocals) - own) | (self.passed if self.is_class else self.passed - own)


def names_of(node: ast.AST) -> ScopeNames:
    """Return the names of a module, a class body, a function, or of the late part of a generator."""
    reader = _NameCollector()
    if isinstance(node, FUNCTIONS):
        reader.names.bound |= {parameter.arg for parameter in arguments(node.args)}
        reader.names.bound |= type_parameters(node)
        reader.read(node.body if isinstance(node.body, list) else [node.body])
    elif isinstance(node, COMPREHENSIONS):
        reader.read_late(node)
    elif isinstance(node, ast.ClassDef):
        reader.names.is_class = True
        reader.names.bound |= type_parameters(node)
        reader.read(node.body)
    else:
        reader.read([node])
    names = reader.names
    names.written_globals |= names.globals
    names.written |= names.nonlocals & names.bound
    return names


def arguments(args: ast.arguments) -> Iterator[ast.arg]:
    """Yield all parameters in order."""
    yield from args.posonlyargs
    yield from args.args
    if args.vararg:
        yield args.vararg
    yield from args.kwonlyargs
    if args.kwarg:
        yield args.kwarg


def given_names(scope: ast.AST) -> set[str]:
    """Return the names of a scope's parameters; a module has none."""
    return {parameter.arg for parameter in arguments(scope.args)} if isinstance(scope, FUNCTIONS) else set()


def type_parameters(node: ast.AST) -> set[str]:
    """Return the names of a definition's own type parameters (Python 3.12)."""
    return {type_param.name for type_param in getattr(node, "type_params", [])}


def target_names(targets: Iterable[ast.AST]) -> set[str]:
    """Return the names that assignment targets bind."""
    return {
        node.id
        for target in targets
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def evaluated_at_definition(node: ast.AST) -> Iterator[ast.expr]:
    """Yield in order what a definition evaluates in the outer scope, without annotations."""
    yield from getattr(node, "decorator_list", [])
    if isinstance(node, ast.ClassDef):
        yield from node.bases
        yield from (keyword.value for keyword in node.keywords)
    elif isinstance(node, FUNCTIONS):
        yield from node.args.defaults
        yield from (default for default in node.args.kw_defaults if default is not None)


def annotations(node: AnyFunction) -> Iterator[ast.expr]:
    """Yield a function's annotations."""
    yield from (parameter.annotation for parameter in arguments(node.args) if parameter.annotation)
    if not isinstance(node, ast.Lambda) and node.returns:
        yield node.returns


def captured_names(node: ast.AST) -> set[str]:
    """Return the names of the outer scope that a definition, a lambda or a generator reads later."""
    names = names_of(node)
    return names.free | names.written


def bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that one node binds, or declares to be another scope's, whatever scope it stands in."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.split(".")[0]
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names


class _NameCollector(ast.NodeVisitor):
    """Collects the names of one scope; an inner scope counts by the names it takes from outside."""

    def __init__(self) -> None:
        self.names = ScopeNames()
        self._hidden: list[set[str]] = []  # loop names of enclosing comprehensions
        self._is_late = False

    def read(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def read_late(self, node: Comprehension) -> None:
        """Read a generator without its first iterable, which is evaluated at once."""
        self._is_late = True
        self._inside(node)

    def visit_Name(self, node: ast.Name) -> None:
        if any(node.id in hidden for hidden in self._hidden):
            return
        (self.names.used if isinstance(node.ctx, ast.Load) else self.names.bound).add(node.id)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        if self._is_late:
            self.names.written.add(node.target.id)
            self.names.used.add(node.target.id)
        else:
            self.names.bound.add(node.target.id)

    def visit_Global(self, node: ast.Global) -> None:
        self.names.globals.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.names.nonlocals.update(node.names)

    def visit_Import(self, node: ast.Import) -> None:
        self.names.bound.update(alias.asname or alias.name.split(".")[0] for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.names.bound.update(alias.asname or alias.name for alias in node.names)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.names.bound.add(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self.names.bound.add(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.names.bound.add(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.names.bound.add(node.rest)
        self.generic_visit(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.read(evaluated_at_definition(node))
        self._take(names_of(node), set())

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._define(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._define(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.names.bound.add(node.name)
        self.read(evaluated_at_definition(node))
        self._take(names_of(node), type_parameters(node))

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehend(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehend(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehend(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehend(node)

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.names.bound.add(node.name)
        self.read(evaluated_at_definition(node))
        own = type_parameters(node)
        self._hidden.append(own)
        self.read(annotations(node))
        self._hidden.pop()
        self._take(names_of(node), own)

    def _comprehend(self, node: Comprehension) -> None:
        self.visit(node.generators[0].iter)
        self._inside(node)

    def _inside(self, node: Comprehension) -> None:
        self._hidden.append(target_names(generator.target for generator in node.generators))
        for number, generator in enumerate(node.generators):
            if number:
                self.visit(generator.iter)
            self.visit(generator.target)
            self.read(generator.ifs)
        self.read([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self._hidden.pop()

    def _take(self, inner: ScopeNames, own: set[str]) -> None:
        hidden = own.union(*self._hidden)
        self.names.passed |= inner.free - hidden
        self.names.written |= inner.written - hidden
        self.names.written_globals |= inner.written_globals
