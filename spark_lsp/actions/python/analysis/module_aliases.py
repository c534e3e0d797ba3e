"""Find the expressions of a file that may hold a module, from the places that name it. Pure.

A module is named by an import, or by the text of its name for ``import_module`` and ``sys.modules``. Assignments,
arguments, return values, attributes and lists pass it on; scopes are not distinguished.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from spark_lsp.actions.python.analysis.call_sites import Modules, dotted, inner_module
from spark_lsp.actions.python.analysis.scopes import COMPREHENSIONS, FUNCTIONS
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import named_by

_IMPORTERS: Final = frozenset({"__import__", "getmodule", "import_module", "importorskip", "reload"})
_ONLY_ASKS: Final = frozenset(
    {"delattr", "getattr", "getfile", "getsource", "hasattr", "id", "isinstance", "print", "repr", "setattr", "type"}
)
"""Calls whose value is not their argument."""
_PUTS_IN: Final = frozenset({"add", "append", "appendleft", "extend", "insert", "put", "setdefault", "update"})
_COMPUTED: Final = (ast.BinOp, ast.Compare, ast.JoinedStr, ast.Lambda, ast.UnaryOp)
_Flow = tuple[str, str, ast.expr]
"""Where a value goes: a name, an attribute or the result of a function, by name."""


class KnownModule:
    """What a file knows about one module: the expressions that may be it."""

    def __init__(self, source: Source, path: str, module: str, files: Modules) -> None:
        self._source = source
        self._is_own = path == module
        self._module = module
        self._files = files

    def is_it(self, node: ast.expr) -> bool:
        """Whether an expression may be the module, except the ``self`` of methods."""
        return dotted(node) not in {"self", "cls"} and self._holds(node, self._held)

    def _holds(self, node: ast.AST, held: set[tuple[str, str]]) -> bool:
        """Whether the value of an expression may be the module, or contain it."""
        if isinstance(node, ast.Constant):
            return self._imports_by_text and self._is_text_of_it(node)
        if isinstance(node, ast.Name | ast.Attribute):
            key = ("name", node.id) if isinstance(node, ast.Name) else ("attribute", node.attr)
            modules = self._modules(node)
            is_held = key in held and (isinstance(node, ast.Name) or not modules)
            return is_held or any(self._is_name(module) for module in modules)
        if isinstance(node, ast.Call):
            return self._call_holds(node, held)
        if isinstance(node, ast.Subscript):
            return self._is_of_modules(node.value, node.slice, held) or self._holds(node.value, held)
        if isinstance(node, _COMPUTED):
            return False
        parts: Iterable[ast.AST] = ast.iter_child_nodes(node)
        if isinstance(node, COMPREHENSIONS):
            parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        return any(self._holds(part, held) for part in parts)

    def _call_holds(self, node: ast.Call, held: set[tuple[str, str]]) -> bool:
        called = named_by(node.func)
        asked = node.args[0] if node.args else None
        if called in _ONLY_ASKS:
            return False
        if called in _IMPORTERS and (isinstance(asked, ast.Constant) or dotted(asked or node) == "__name__"):
            return self._is_text_of_it(asked or node)
        if ("value", called) in held:
            return True
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        if receiver is not None and not self._modules(receiver) and self._holds(receiver, held):
            return True
        if (
            receiver is not None
            and called == "get"
            and asked is not None
            and self._is_of_modules(receiver, asked, held)
        ):
            return True
        return any(
            self._holds(argument, held) for argument in [*node.args, *(keyword.value for keyword in node.keywords)]
        )

    def _is_of_modules(self, node: ast.expr, asked: ast.expr, held: set[tuple[str, str]]) -> bool:
        """Whether ``sys.modules`` is indexed with the text of the module's name."""
        if dotted(node).rpartition(".")[2] != "modules":
            return False
        if isinstance(asked, ast.Constant) or dotted(asked) == "__name__":
            return self._is_text_of_it(asked)
        return self._is_own or self._holds(asked, held)

    def _is_text_of_it(self, node: ast.expr) -> bool:
        if dotted(node) == "__name__":
            return self._is_own
        return isinstance(node, ast.Constant) and isinstance(node.value, str) and self._is_said(node.value)

    def _is_name(self, module: str) -> bool:
        return self._module in self._files(module)

    def _is_said(self, name: str) -> bool:
        """Whether a text is the module's name; for a relative name the written part decides."""
        tail = name.lstrip(".").replace(".", "/")
        whole = f"/{self._module.removesuffix('.py').removesuffix('/__init__')}"
        return bool(tail) and (whole.endswith(f"/{tail}") or self._is_name(name))

    def _modules(self, node: ast.AST) -> tuple[str, ...]:
        """Return the modules that an expression like ``a.b.c`` may be by the imports of its first name."""
        if isinstance(node, ast.Name):
            return tuple(self._imports.get(node.id, ()))
        if not isinstance(node, ast.Attribute):
            return ()
        return tuple(f"{module.removesuffix('.')}.{node.attr}" for module in self._modules(node.value))

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        return list(ast.walk(self._source.tree))

    @property
    def _values(self) -> Iterator[ast.AST]:
        """Yield expressions that may be the module: neither part of a longer name nor a container of modules."""
        inner = {id(node.value) for node in self._nodes if isinstance(node, ast.Attribute)}
        for node in self._nodes:
            if isinstance(node, ast.Name | ast.Attribute):
                is_whole = id(node) not in inner
            elif isinstance(node, ast.Call):
                is_whole = named_by(node.func) in _IMPORTERS or named_by(node.func) == "get"
            else:
                is_whole = isinstance(node, ast.Constant | ast.Subscript)
            if is_whole:
                yield node

    @cached_property
    def _imports_by_text(self) -> bool:
        """Whether the file imports by names that are not literal."""
        return any(
            isinstance(node, ast.Call)
            and named_by(node.func) in _IMPORTERS
            and not (node.args and isinstance(node.args[0], ast.Constant))
            for node in self._nodes
        ) or any(
            isinstance(node, ast.Attribute) and node.attr == "modules" and dotted(node.value) == "sys"
            for node in self._nodes
        )

    @cached_property
    def _imports(self) -> dict[str, list[str]]:
        imports: dict[str, list[str]] = {}
        for node in self._nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    root = alias.name.split(".")[0]
                    imports.setdefault(alias.asname or root, []).append(alias.name if alias.asname else root)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    imports.setdefault(alias.asname or alias.name, []).append(inner_module(node, alias.name))
        return imports

    @cached_property
    def _held(self) -> set[tuple[str, str]]:
        """Return the names, attributes and functions that may hold the module."""
        held: set[tuple[str, str]] = set()
        if not any(self._holds(value, held) for value in self._values):
            return held
        flows = [flow for node in self._nodes for flow in self._flows(node)]
        while True:
            more = {flow[:2] for flow in flows if flow[:2] not in held and self._holds(flow[2], held)}
            if not more:
                return held
            held |= more

    @cached_property
    def _parameters(self) -> dict[str, list[tuple[list[str], list[str]]]]:
        """Return the arguments of the file's functions, and of classes by ``__init__``: by position, and by name."""
        parameters: dict[str, list[tuple[list[str], list[str]]]] = {}
        for node in self._nodes:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            owner = self._source.parent(node)
            is_static = any(named_by(decorator) == "staticmethod" for decorator in node.decorator_list)
            places = [parameter.arg for parameter in (*node.args.posonlyargs, *node.args.args)]
            places = places[1:] if isinstance(owner, ast.ClassDef) and not is_static else places
            rest = [parameter.arg for parameter in (node.args.vararg, node.args.kwarg) if parameter is not None]
            name = owner.name if isinstance(owner, ast.ClassDef) and node.name == "__init__" else node.name
            parameters.setdefault(name, []).append(
                (places, [*(parameter.arg for parameter in node.args.kwonlyargs), *rest])
            )
        return parameters

    def _flows(self, node: ast.AST) -> Iterator[_Flow]:
        """Yield where the values in a node go."""
        is_in_class = isinstance(self._source.parent(node), ast.ClassDef)
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _into(target, node.value, is_in_class=is_in_class)
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
            yield from _into(node.target, node.value, is_in_class=is_in_class)
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            yield from _into(node.target, node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            yield from _into(node.optional_vars, node.context_expr)
        elif isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) and node.value is not None:
            around = self._source.scope_of(node)
            yield "value", getattr(around, "name", ""), node.value
        elif isinstance(node, ast.Import | ast.ImportFrom) and is_in_class:
            names = [alias.asname or alias.name.split(".")[0] for alias in node.names]
            yield from (("attribute", name, ast.Name(name, ast.Load())) for name in names)
        elif isinstance(node, FUNCTIONS):
            yield from _by_definition(node)
        elif isinstance(node, ast.Call):
            yield from self._by_call(node)

    def _by_call(self, node: ast.Call) -> Iterator[_Flow]:
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(node.func, ast.Attribute) and node.func.attr in _PUTS_IN:
            yield from (flow for argument in given for flow in _into(node.func.value, argument))
        for places, others in self._parameters.get(named_by(node.func), ()):
            is_spread = any(isinstance(argument, ast.Starred) for argument in node.args)
            for number, argument in enumerate(node.args):
                names = places if is_spread else places[number : number + 1] or others
                yield from (("name", name, argument) for name in names)
            for keyword in node.keywords:
                is_known = keyword.arg in {*places, *others}
                names = [keyword.arg] if is_known and keyword.arg is not None else [*places, *others]
                yield from (("name", name, keyword.value) for name in names)


def _into(target: ast.expr, value: ast.expr, *, is_in_class: bool = False) -> Iterator[_Flow]:
    """Yield the flows of a value into a target: the container of an object counts as holding it."""
    if isinstance(target, ast.Name):
        yield "name", target.id, value
        if is_in_class:
            yield "attribute", target.id, value
    elif isinstance(target, ast.Attribute):
        yield "attribute", target.attr, value
    elif isinstance(target, ast.Subscript | ast.Starred):
        yield from _into(target.value, value)
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _into(element, value, is_in_class=is_in_class)


def _by_definition(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterator[_Flow]:
    """Yield the flows from defaults, and from arguments of a decorator, into parameters."""
    places = [parameter.arg for parameter in (*node.args.posonlyargs, *node.args.args)]
    for default in node.args.defaults:
        yield from (("name", name, default) for name in places)
    for parameter, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if value is not None:
            yield "name", parameter.arg, value
    for decorator in getattr(node, "decorator_list", []):
        if isinstance(decorator, ast.Call):
            for argument in decorator.args:
                yield from (("name", name, argument) for name in places)
