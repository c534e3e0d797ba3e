"""Find the calls of a module's function in a Python file, or the reason why they are uncertain. Pure."""

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from spark_lsp.actions.python.analysis.scopes import names_of
from spark_lsp.actions.python.analysis.source import Source

Modules = Callable[[str], tuple[str, ...]]
"""Returns the workspace files that an import in a file may refer to, the most likely first."""

_BY_TEXT: Final = frozenset({"attrgetter", "delattr", "getattr", "methodcaller", "object", "patch", "setattr"})


@dataclass(frozen=True, slots=True)
class CallIssue:
    """Why the calls are not certain, and the line of the cause, counted from 1."""

    line: int
    message: str


Calls = list[ast.Call] | CallIssue


@dataclass(frozen=True, slots=True)
class KnownFunction:
    """A function of a module: the files that have it under its name, and those that define the same name."""

    name: str
    homes: frozenset[str]
    definers: frozenset[str]
    files: Modules

    def means(self, module: str) -> Literal["home", "several", "vague", "other"]:
        """Return whether an import refers to one of the function's modules."""
        files = self.files(module)
        if files and files[0] in self.homes:
            return "home"
        if any(path in self.homes for path in files):
            return "several"
        return "vague" if files and files[0] not in self.definers else "other"


@dataclass(slots=True)
class Imports:
    """How a file reaches a function: the aliases of its name, and the expressions of its module."""

    aliases: list[ast.alias] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)
    vague: set[str] = field(default_factory=set)
    """Modules of the workspace that neither define the function nor import it by name."""
    star: ast.stmt | None = None


def own_calls(source: Source, function: ast.AST, name: str) -> Calls:
    """Return the calls of a function in the file that defines it."""
    scope = source.scope_of(function)
    return _by_name(source, name, [scope], lambda node: node is function)


def calls_through_imports(source: Source, name: str, imports: Imports) -> Calls:
    """Return the calls of a function in a file that imports the function or its module."""
    calls: list[ast.Call] = []
    if imports.aliases:
        known = {id(alias) for alias in imports.aliases}
        scopes = [source.scope_of(source.statement_of(alias)) for alias in imports.aliases]
        named = _by_name(source, name, scopes, lambda node: id(node) in known)
        if isinstance(named, CallIssue):
            return named
        calls += named
    elif imports.star is not None and any(_reads(node, name) for node in ast.walk(source.tree)):
        return CallIssue(imports.star.lineno, f"{name} comes from a star import")
    for node in called_as(source, name):
        if dotted(node.value) in imports.vague - imports.modules:
            return CallIssue(node.lineno, f"{name} may be another function here")
    through = _by_module(source, name, imports.modules)
    return through if isinstance(through, CallIssue) else in_order_of_text([*calls, *through])


def passes_on(source: Source, known: KnownFunction) -> bool:
    """Whether a module has the function under its name by an import."""
    return any(
        isinstance(node, ast.ImportFrom)
        and known.means(module_of(node)) == "home"
        and any(alias.name == known.name and alias.asname in {None, known.name} for alias in node.names)
        for node in source.tree.body
    )


def imports_of(source: Source, known: KnownFunction) -> Imports | CallIssue:
    """Return how a file reaches a function."""
    imports = Imports()
    for node in ast.walk(source.tree):
        issue = None
        if isinstance(node, ast.Import):
            issue = _take_import(node, imports, known)
        elif isinstance(node, ast.ImportFrom):
            issue = _take_from(node, imports, known)
        if issue is not None:
            return issue
    return imports


def module_of(node: ast.ImportFrom) -> str:
    """Return the module of a ``from`` import, as it is written."""
    return "." * node.level + (node.module or "")


def inner_module(node: ast.ImportFrom, name: str) -> str:
    """Return the module that an imported name would be if it were a module."""
    module = module_of(node)
    return f"{module}{'' if module.endswith('.') else '.'}{name}"


def _take_import(node: ast.Import, imports: Imports, known: KnownFunction) -> CallIssue | None:
    for alias in node.names:
        parts = alias.name.split(".")
        for end in (len(parts),) if alias.asname else range(1, len(parts) + 1):
            if issue := _take_module(node, ".".join(parts[:end]), alias.asname, imports, known):
                return issue
    return None


def _take_module(
    node: ast.stmt, module: str, name: str | None, imports: Imports, known: KnownFunction
) -> CallIssue | None:
    means = known.means(module)
    if means == "several":
        return CallIssue(node.lineno, f"{module} may be several files")
    if means == "home":
        imports.modules.add(name or module)
    elif means == "vague":
        imports.vague.add(name or module)
    return None


def _take_from(node: ast.ImportFrom, imports: Imports, known: KnownFunction) -> CallIssue | None:
    for alias in node.names:
        if alias.name not in {known.name, "*"}:
            inner = inner_module(node, alias.name)
            if issue := _take_module(node, inner, alias.asname or alias.name, imports, known):
                return issue
            continue
        means = known.means(module_of(node))
        if means == "several" or (means == "vague" and alias.name == known.name):
            return CallIssue(node.lineno, f"{known.name} may be another function here")
        if means == "other":
            continue
        if alias.name == "*":
            imports.star = node
        elif alias.asname not in {None, known.name}:
            return CallIssue(node.lineno, f"{known.name} has another name here")
        else:
            imports.aliases.append(alias)
    return None


def _by_name(source: Source, name: str, scopes: Sequence[ast.AST], is_it: Callable[[ast.AST], bool]) -> Calls:
    """Return the calls by name; a name with another meaning anywhere in the file is an issue."""
    for node in ast.walk(source.tree):
        if not binds(node, name) or is_it(node):
            continue
        around = source.parent(node)
        is_method = isinstance(around, ast.ClassDef) and not isinstance(node, ast.Name | ast.arg)
        if not is_method or name in names_of(around or node).used:
            return CallIssue(_line(source, node), f"{name} also means something else here")
    calls: list[ast.Call] = []
    inside = {id(node): node for scope in scopes for node in ast.walk(scope)}
    for node in inside.values():
        if _reads(node, name):
            call = _called(source, node)
            if call is None:
                return CallIssue(_line(source, node), f"{name} is passed on without being called")
            calls.append(call)
    return in_order_of_text(calls)


def _by_module(source: Source, name: str, modules: Collection[str]) -> Calls:
    """Return the calls as an attribute of a module."""
    if not modules:
        return []
    roots = {module.split(".")[0] for module in modules}
    calls: list[ast.Call] = []
    for node in ast.walk(source.tree):
        root = next((candidate for candidate in roots if binds(node, candidate)), None)
        if root is not None and not isinstance(node, ast.alias):
            return CallIssue(_line(source, node), f"{root} also means something else here")
        if not isinstance(node, ast.Attribute | ast.Name):
            continue
        parent = source.parent(node)
        if dotted(node) in modules and not isinstance(parent, ast.Attribute):
            return CallIssue(_line(source, node), "the module is passed on")
        if isinstance(node, ast.Attribute) and node.attr == name and dotted(node.value) in modules:
            call = _called(source, node)
            if call is None:
                return CallIssue(_line(source, node), f"{name} is passed on without being called")
            calls.append(call)
    return calls


def binds(node: ast.AST, name: str) -> bool:
    """Whether a node binds a name in its scope."""
    if isinstance(node, ast.Name):
        return node.id == name and not isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.arg):
        return node.arg == name
    if isinstance(node, ast.alias):
        return (node.asname or node.name.split(".")[0]) == name
    if isinstance(node, ast.MatchMapping):
        return node.rest == name
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
    return isinstance(node, kinds) and node.name == name


def dotted(node: ast.AST) -> str:
    """Return the names of an expression like ``a.b.c``, empty for any other."""
    if isinstance(node, ast.Name):
        return node.id
    inner = dotted(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{inner}.{node.attr}" if inner and isinstance(node, ast.Attribute) else ""


def looked_up(source: Source, name: str) -> int:
    """Return the line of a lookup by the text of the name, 0 for none."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        asked = node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)
        texts = [
            argument.value
            for argument in node.args
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        ]
        if asked in _BY_TEXT and any(text.rpartition(".")[2] == name for text in texts):
            return node.lineno
    return 0


def in_order_of_text(calls: Iterable[ast.Call]) -> list[ast.Call]:
    """Return calls in the order of their positions."""
    return sorted(calls, key=lambda call: (call.lineno, call.col_offset, -(call.end_lineno or 0)))


def called_as(source: Source, name: str) -> Iterator[ast.Attribute]:
    """Yield the attributes of a name in a file."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr == name:
            yield node


def _reads(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)


def _called(source: Source, node: ast.AST) -> ast.Call | None:
    parent = source.parent(node)
    return parent if isinstance(parent, ast.Call) and parent.func is node else None


def _line(source: Source, node: ast.AST) -> int:
    return getattr(node, "lineno", 0) or source.statement_of(node).lineno
