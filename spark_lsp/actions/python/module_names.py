"""Whether one more name of a module would be seen: by what lists its names, or takes all that are public.

A file of the workspace is known to list them where it names the module: by an import, or by the text of its name for
``import_module`` and ``sys.modules``. A module that a file passes on counts wherever that file lists the names of
something unknown. What comes to a file from elsewhere, a module by a name that is not written down, is not known.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, cached_property, partial
from typing import Final, Literal

from spark_lsp.actions.python.calls.uses import Modules, dotted, inner_module, module_of
from spark_lsp.actions.python.listing import LISTERS, Seen, seen_in, subject
from spark_lsp.actions.python.scopes import FUNCTIONS, arguments
from spark_lsp.actions.python.source import Source, source_of
from spark_lsp.actions.python.walks import said_by
from spark_lsp.index.resolve import resolve
from spark_lsp.index.view import FileEntry, IndexView
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse

_IMPORTERS: Final = frozenset({"__import__", "getmodule", "import_module", "importorskip", "reload"})
_TAKES_NO_NAMES: Final = frozenset(
    {"delattr", "getattr", "getfile", "getsource", "hasattr", "id", "isinstance", "object", "print", "repr", "setattr"}
)
"""Calls that may be given a module and do not go through its names; ``object`` is that of ``patch``."""

_GIVES_NO_MODULE: Final = frozenset({"parse_args", "parse_known_args", "super", "type"})
_STAR: Final = re.compile(r"\bimport\s*\*")


def seen_names(source: Source, path: str, view: IndexView, *, is_function: bool) -> Seen:
    """Return what sees a name that a module at ``path`` gets: of a function, or of a variable."""
    try:
        return _seen(source, path, view, is_function=is_function)
    except RecursionError:
        return Seen("The code is nested too deep.")


def _seen(source: Source, path: str, view: IndexView, *, is_function: bool) -> Seen:
    files = [(path, source), *_others(path, view)]
    found = []
    for name, read in files:
        known = KnownModule(read, name, path, cache(partial(resolve, view.files, name, "python")))
        here = seen_in(name, read, known.is_it, "module", is_own=name == path, is_function=is_function)
        found.append(replace(here, public=here.public or known.takes_all))
    refusal = next((each.refusal for each in found if each.refusal), "")
    return Seen(refusal, not _stem(path) or any(each.public for each in found))


def _stem(path: str) -> str:
    """Return the name that a module goes by in imports; empty for one at the root that has none."""
    *folders, file = path.removesuffix(".py").split("/")
    return file if file != "__init__" else (folders[-1] if folders else "")


def _others(path: str, view: IndexView) -> Iterator[tuple[str, Source]]:
    """Yield the other files that say the module's name and may list names, or import all of them."""
    name = _stem(path)
    listing = {each for word in LISTERS for each in view.referencing.get(word, {})}
    saying = view.referencing.get(name, {})
    by_text = re.compile(rf"[\"'][\w.]*\b{re.escape(name)}[\"']")
    for other in sorted({*listing, *saying} - {path}):
        entry = view.files[other]
        if entry.language != "python":
            continue
        if not (_may_take_all(entry, name) or (other in listing and (other in saying or by_text.search(entry.text)))):
            continue
        syntax = parse(LANGUAGES["python"], entry.text)
        read = source_of(syntax) if syntax is not None and entry.text else None
        if read is not None:
            yield other, read


def _may_take_all(entry: FileEntry, name: str) -> bool:
    """Whether a file imports a module of this name, and something with ``*``."""
    found = any(not each.names and each.module.rpartition(".")[2] == name for each in entry.symbols.imports)
    return found and _STAR.search(entry.text) is not None


class KnownModule:
    """What a file knows of one module: which of its expressions are it, or may be."""

    def __init__(self, source: Source, path: str, module: str, files: Modules) -> None:
        self._source = source
        self._is_own = path == module
        self._module = module
        self._files = files

    def is_it(self, node: ast.expr) -> bool:
        """Whether an expression is the module, or something unknown in a file that passes the module on."""
        meaning = self._meaning(node, frozenset())
        return meaning == "it" or (meaning == "unknown" and self._passes_on)

    @property
    def takes_all(self) -> bool:
        """Whether the file imports all public names of the module."""
        stars = (
            node
            for node in ast.walk(self._source.tree)
            if isinstance(node, ast.ImportFrom) and any(each.name == "*" for each in node.names)
        )
        return any(self._is_name(module_of(node)) for node in stars)

    def _is_name(self, module: str) -> bool:
        return self._module in self._files(module)

    def _meaning(self, node: ast.expr, seen: frozenset[str]) -> Literal["it", "unknown", "other"]:
        if any(self._is_name(each) for each in self._modules(node)):
            return "it"
        if isinstance(node, ast.NamedExpr):
            return self._meaning(node.value, seen)
        if isinstance(node, ast.IfExp | ast.BoolOp):
            ways = [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values
            found = {self._meaning(each, seen) for each in ways}
            return "it" if "it" in found else "unknown" if "unknown" in found else "other"
        if isinstance(node, ast.Name):
            return self._meaning_of_name(node.id, seen)
        if isinstance(node, ast.Call | ast.Subscript):
            return self._meaning_of_call(node, seen)
        is_part = isinstance(node, ast.Attribute) and node.attr != "__class__" and not self._modules(node)
        return "unknown" if is_part else "other"

    def _meaning_of_name(self, name: str, seen: frozenset[str]) -> Literal["it", "unknown", "other"]:
        if name in seen:
            return "other"
        found = {
            "unknown" if value is None else self._meaning(value, seen | {name}) for value in self._values.get(name, ())
        }
        return "it" if "it" in found else "unknown" if "unknown" in found else "other"

    def _meaning_of_call(
        self, node: ast.Call | ast.Subscript, seen: frozenset[str]
    ) -> Literal["it", "unknown", "other"]:
        """Look at what imports by the text of a name, and at ``sys.modules``; a class by its name makes no module."""
        called = node.func if isinstance(node, ast.Call) else None
        of_modules = called.value if isinstance(called, ast.Attribute) and called.attr == "get" else None
        of_modules = node.value if isinstance(node, ast.Subscript) else of_modules
        is_import = called is not None and said_by(called) in _IMPORTERS
        if not is_import and (of_modules is None or dotted(of_modules).rpartition(".")[2] != "modules"):
            makes = said_by(called) if called is not None else ""
            return "other" if makes in _GIVES_NO_MODULE or makes[:1].isupper() else "unknown"
        asked = node.slice if isinstance(node, ast.Subscript) else next(iter(node.args), None)
        if isinstance(asked, ast.Constant) and isinstance(asked.value, str):
            return "it" if self._is_said(asked.value) else "other"
        if isinstance(asked, ast.Name) and asked.id == "__name__":
            return "it" if self._is_own else "other"
        if self._is_own and not is_import:
            return "it"
        return self._meaning(asked, seen) if asked is not None and self._modules(asked) else "unknown"

    def _is_said(self, name: str) -> bool:
        """Whether the text of a name is the module's; of a relative one the part that is written decides."""
        tail = name.lstrip(".").replace(".", "/")
        whole = f"/{self._module.removesuffix('.py').removesuffix('/__init__')}"
        return bool(tail) and (whole.endswith(f"/{tail}") or self._is_name(name))

    def _modules(self, node: ast.expr) -> tuple[str, ...]:
        """Return the modules that an expression like ``a.b.c`` may be by the imports of its first name."""
        if isinstance(node, ast.Name):
            return tuple(self._imports.get(node.id, ()))
        if not isinstance(node, ast.Attribute):
            return ()
        return tuple(f"{each.removesuffix('.')}.{node.attr}" for each in self._modules(node.value))

    @cached_property
    def _imports(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for node in ast.walk(self._source.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    root = alias.name.split(".")[0]
                    found.setdefault(alias.asname or root, []).append(alias.name if alias.asname else root)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    found.setdefault(alias.asname or alias.name, []).append(inner_module(node, alias.name))
        return found

    @cached_property
    def _values(self) -> dict[str, list[ast.expr | None]]:
        """Return what names are given anywhere in the file, None for what cannot be told."""
        found: dict[str, list[ast.expr | None]] = {}
        whole: dict[int, ast.expr | None] = {}
        for node in ast.walk(self._source.tree):
            if isinstance(node, ast.Assign):
                whole |= {id(each): node.value for each in node.targets}
            elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
                whole[id(node.target)] = node.value
            elif isinstance(node, FUNCTIONS):
                owns = isinstance(self._source.parent(node), ast.ClassDef)
                for each in list(arguments(node.args))[1 if owns else 0 :]:
                    found.setdefault(each.arg, []).append(None)
        for node in ast.walk(self._source.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.setdefault(node.id, []).append(whole.get(id(node)))
        return found

    @cached_property
    def _passes_on(self) -> bool:
        """Whether the module, or the text of its name where one imports by text, goes where it is not followed."""
        imports_by_text = any(
            isinstance(node, ast.Call) and said_by(node.func) in _IMPORTERS for node in ast.walk(self._source.tree)
        )
        return any(
            self._is_handed_on(node)
            for node in ast.walk(self._source.tree)
            if isinstance(node, ast.Name | ast.Attribute | ast.Call)
            or (imports_by_text and isinstance(node, ast.Constant))
        )

    def _is_handed_on(self, node: ast.expr) -> bool:
        parent = self._source.parent(node)
        if isinstance(node, ast.Constant):
            is_followed = isinstance(parent, ast.Call) and said_by(parent.func) in _IMPORTERS
            return not is_followed and isinstance(node.value, str) and self._is_said(node.value)
        if isinstance(parent, ast.Attribute | ast.Expr | ast.Delete | ast.Compare | ast.NamedExpr):
            return False
        if isinstance(parent, ast.AnnAssign) or (
            isinstance(parent, ast.Assign) and all(isinstance(each, ast.Name) for each in parent.targets)
        ):
            return isinstance(self._source.parent(parent), ast.ClassDef) and self._meaning(node, frozenset()) == "it"
        if isinstance(parent, ast.Call) and (parent.func is node or said_by(parent.func) in _TAKES_NO_NAMES):
            return False
        if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load) or subject(parent or node) is node:
            return False
        return self._meaning(node, frozenset()) == "it"
