"""Resolve a name or an annotation to a class, through imports, if that is certain.

Reads texts from the index, so it must run on a worker thread.
"""

import ast
import builtins
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Final, Literal

from spark_lsp.actions.python.analysis.call_sites import Modules, dotted, inner_module, module_of
from spark_lsp.actions.python.analysis.source import Source, source_of
from spark_lsp.index.parse.imports import resolve
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse

_NOT_AN_OBJECT_OF: Final = frozenset({"object", "property", "staticmethod", "classmethod", "super", "type"})
"""Built-in classes that say nothing about an object's attributes, or whose call returns something else."""
_NAMED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
_MAX_STEPS: Final = 6
"""Chained imports to follow; more means that a package imports in a circle."""


@dataclass(frozen=True, slots=True)
class ClassAt:
    """A class: at the top level of a workspace file, a built-in one, or one of an external module."""

    name: str
    path: str
    """The file, or the module of an external class; empty for a built-in class."""
    origin: Literal["workspace", "python", "outside"] = "workspace"


class Classes:
    """The classes of a workspace during one action, with a cache of what was read."""

    def __init__(self, read: Callable[[str], Source | None], modules: Callable[[str], Modules]) -> None:
        self.read = read
        self._modules = modules
        self._bound: dict[str, Mapping[str, list[ast.AST]]] = {}

    def meaning(self, path: str, node: ast.AST, steps: int = _MAX_STEPS) -> ClassAt | None:
        """Return the class that a name, or an attribute of a module, stands for in a file; None if uncertain."""
        if isinstance(node, ast.Name):
            return self._named(path, node.id, steps)
        if not isinstance(node, ast.Attribute) or not (module := dotted(node.value)):
            return None
        meanings = {self._through(path, binder, module, node.attr, steps) for binder in self._binders(path, module)}
        return meanings.pop() if len(meanings) == 1 else None

    def body(self, class_at: ClassAt) -> ast.ClassDef | None:
        """Return the definition of a class of the workspace."""
        bound = self._binders(class_at.path, class_at.name) if class_at.origin == "workspace" else []
        return next((node for node in bound if isinstance(node, ast.ClassDef)), None)

    def bases(self, class_at: ClassAt) -> list[ClassAt | None]:
        """Return the bases of a class as they are written; None for an unknown one."""
        body = self.body(class_at)
        return [self.meaning(class_at.path, _unsubscripted(base)) for base in body.bases] if body is not None else []

    def ancestors(self, class_at: ClassAt) -> frozenset[ClassAt | None]:
        """Return all ancestors of a class; None for an unknown one among them."""
        seen: set[ClassAt | None] = set()
        todo = self.bases(class_at)
        while todo:
            current = todo.pop()
            if current not in seen:
                seen.add(current)
                todo += self.bases(current) if current is not None else []
        return frozenset(seen)

    def _named(self, path: str, name: str, steps: int) -> ClassAt | None:
        source = self.read(path)
        if source is None or steps == 0:
            return None
        nodes = self._binders(path, name)
        if not nodes:
            kind = vars(builtins).get(name)
            is_known = isinstance(kind, type) and not self._binders(path, "*")
            return ClassAt(name, "", "python") if is_known else None
        meanings = {self._bound_by(path, source, node, name, steps) for node in nodes}
        is_clear = len(meanings) == 1 and sum(isinstance(node, ast.ClassDef) for node in nodes) <= 1
        return meanings.pop() if is_clear else None

    def _bound_by(self, path: str, source: Source, node: ast.AST, name: str, steps: int) -> ClassAt | None:
        if isinstance(node, ast.ClassDef):
            return ClassAt(name, path) if isinstance(source.parent(node), ast.Module) else None
        around = source.parent(node)
        if isinstance(node, ast.alias) and isinstance(around, ast.ImportFrom):
            return self._imported(path, module_of(around), node.name, steps)
        return None

    def _through(self, path: str, node: ast.AST, module: str, name: str, steps: int) -> ClassAt | None:
        """Return the class for an attribute of a module that a file imports by a node."""
        source = self.read(path)
        around = source.parent(node) if source is not None else None
        if not isinstance(node, ast.alias):
            return None
        if isinstance(around, ast.ImportFrom):
            return self._imported(path, inner_module(around, node.name), name, steps)
        if node.asname is None and module != node.name and not node.name.startswith(f"{module}."):
            return None
        return self._imported(path, node.name if node.asname else module, name, steps)

    def _imported(self, path: str, module: str, name: str, steps: int) -> ClassAt | None:
        files = self._modules(path)(module)
        if not files:
            return None if module.startswith(".") else ClassAt(name, module, "outside")
        meanings = [self._exported(file, name, steps - 1) for file in files]
        return meanings[0] if all(class_at in {None, meanings[0]} for class_at in meanings) else None

    def _exported(self, path: str, name: str, steps: int) -> ClassAt | None:
        return self._named(path, name, steps) if self._binders(path, name) else None

    def _binders(self, path: str, name: str) -> list[ast.AST]:
        """Return the nodes that bind a name, or the first of dotted names, anywhere in a file."""
        if path not in self._bound:
            source = self.read(path)
            bound: defaultdict[str, list[ast.AST]] = defaultdict(list)
            for node in ast.walk(source.tree) if source is not None else ():
                for bound_name in _names_bound(node):
                    bound[bound_name].append(node)
            self._bound[path] = bound
        return self._bound[path].get(name.partition(".")[0], [])


def _names_bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.split(".")[0]
    elif isinstance(node, ast.MatchMapping):
        if node.rest:
            yield node.rest
    elif isinstance(node, _NAMED) and node.name:
        yield node.name


def _unsubscripted(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Subscript) else node


def says_nothing(class_at: ClassAt) -> bool:
    """Whether any object may be an instance of a built-in class."""
    return class_at.origin == "python" and class_at.name in _NOT_AN_OBJECT_OF


def classes_of(read: dict[str, Source], view: IndexView) -> Classes:
    """Return the classes of the workspace; a file is read only once."""

    def source_at(path: str) -> Source | None:
        if path not in read:
            entry = view.files.get(path)
            syntax = parse(LANGUAGES["python"], entry.text) if entry is not None else None
            read_now = source_of(syntax) if syntax is not None else None
            if read_now is None:
                return None
            read[path] = read_now
        return read[path]

    return Classes(source_at, partial(modules_of, view))


def files_mentioning(view: IndexView, name: str) -> frozenset[str]:
    """Return the Python files that mention a name."""
    return frozenset(path for path in view.referencing.get(name, {}) if view.files[path].language == "python")


def modules_of(view: IndexView, path: str) -> Modules:
    """Return a function that finds the files of a module that a file imports."""
    return cache(partial(resolve, view.files, path, "python"))
