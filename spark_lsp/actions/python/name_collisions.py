"""Collect the names of a module or a class that a new function must not take.

Other files may assign names in a module, a class inherits names of its bases, and a package has its submodules.
"""

import ast
import builtins
import re
from functools import cache
from typing import Final

from spark_lsp.actions.checks.stdlib import is_module, source_of_module
from spark_lsp.actions.python.analysis.classes import ClassAt, Classes, classes_of, files_mentioning
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import named_by
from spark_lsp.actions.refusal import Refusal
from spark_lsp.index.storage.view import IndexView

_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_IMPORT: Final = re.compile(r"^\s*(?:from|import)\s+(\w[\w.]*)", re.MULTILINE)
_ASKING: Final = frozenset(
    {"callable", "dir", "hasattr", "help", "id", "isinstance", "repr", "signature", "str", "vars"}
)
"""Uses of a method that do not call it."""
_HARMLESS_BASES: Final = frozenset({"ABC", "Generic", "Protocol", "object"})


def is_given(name: str, path: str, view: IndexView) -> bool:
    """Whether another file assigns a name in a module or class, or a package has a submodule of that name."""
    if path.endswith("__init__.py"):
        lead = path.removesuffix("__init__.py")
        if any(f"{lead}{name}{end}" in view.files for end in (".py", ".pyi", "/__init__.py")):
            return True
    word = re.escape(name)
    given = re.compile(rf"\.{word}\s*(?::[^=\n]*)?=(?!=)|[\"'](?:[\w.]*\.)?{word}[\"']")
    by_text = frozenset[str]().union(*(files_mentioning(view, word) for word in ("setattr", "patch", "__dict__")))
    others = (files_mentioning(view, name) | by_text) - {path}
    return any(given.search(view.files[other_path].text) for other_path in others)


def inherited_names(source: Source, path: str, owner: ast.ClassDef, view: IndexView) -> tuple[frozenset[str], bool]:
    """Return the names that a class may inherit, and whether these are all.

    For a base in the standard library every word of its module counts.
    """
    classes = classes_of({path: source}, view)
    meaning = classes.meaning(path, ast.Name(owner.name, ast.Load()))
    names: set[str] = set(dir(object))
    if meaning is None or classes.body(meaning) is not owner:
        return frozenset(names), all(named_by(base) in _HARMLESS_BASES for base in owner.bases)
    is_whole = True
    for class_at in (meaning, *(base for base in classes.ancestors(meaning) if base is not None)):
        body = classes.body(class_at)
        read = classes.read(class_at.path) if body is not None else None
        if body is None or read is None:
            continue  # its name is a base of another class, whose bases are collected there
        names |= {name for node in ast.walk(body) for name in (named_by(node), getattr(node, "name", "")) if name}
        for base in body.bases:
            is_whole = _add_names(base, read, classes, class_at, names) and is_whole
    return frozenset(names), is_whole


def _add_names(base: ast.expr, source: Source, classes: Classes, owner: ClassAt, names: set[str]) -> bool:
    """Add the names that a base may provide; return whether all are known."""
    core = base.value if isinstance(base, ast.Subscript) else base
    name = named_by(core)
    value = getattr(builtins, name, None)
    if name in _HARMLESS_BASES:
        return True
    if isinstance(value, type):
        names |= set(dir(value))
        return True
    meant = classes.meaning(owner.path, core)
    if meant is not None and classes.body(meant) is not None:
        return True
    words = _words_of(_module_of(core, source))
    names |= words
    return bool(words)


def _module_of(base: ast.expr, source: Source) -> str:
    """Return the module that a base is imported from, empty if it is not certain."""
    *parts, _name = ast.unparse(base).split(".")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import) and parts:
            for alias in node.names:
                if (alias.asname or alias.name.split(".")[0]) == parts[0]:
                    return ".".join([alias.name, *parts[1:]]) if alias.asname else ".".join(parts)
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == (parts or [_name])[0]:
                    return ".".join([node.module, alias.name, *parts[1:]]) if parts else node.module
    return ""


@cache
def _words_of(module: str) -> frozenset[str]:
    """Return every word of a standard library module and of those that it imports; none for another module."""
    if not module or not is_module(module.partition(".")[0]):
        return frozenset()
    text = source_of_module(module)
    words = set(_WORD.findall(text))
    for imported in _IMPORT.findall(text):
        if is_module(imported.partition(".")[0]):
            words |= set(_WORD.findall(source_of_module(imported)))
    return frozenset(words)


class GivenNames:
    """The names that other files assign in a module, looked up one at a time."""

    def __init__(self, path: str, view: IndexView) -> None:
        self._path = path
        self._view = view

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and is_given(name, self._path, self._view)


def borrowed_method(source: Source, path: str, owner: ast.ClassDef, method: str, view: IndexView) -> Refusal | None:
    """Return where a method is taken from its class, to be called on an object that may lack the class's methods."""
    files = {path: source.tree}
    for other_path in sorted((files_mentioning(view, owner.name) & files_mentioning(view, method)) - {path}):
        try:
            files[other_path] = ast.parse(view.files[other_path].text)
        except (SyntaxError, ValueError, RecursionError):
            continue
    for file, tree in files.items():
        for node in ast.walk(tree):
            if _takes_method(node, owner.name, method, tree):
                message = (
                    f"{file}:{getattr(node, 'lineno', 0)} takes {method} from {owner.name}, maybe for other objects."
                )
                return Refusal("scope", message)
    return None


def _takes_method(node: ast.AST, owner: str, method: str, tree: ast.AST) -> bool:
    """Whether a node takes a method from the class itself, other than ``Class.method(self, …)`` in a method."""
    key = node.slice if isinstance(node, ast.Subscript) else None
    if isinstance(node, ast.Subscript) and isinstance(key, ast.Constant) and key.value == method:
        return any(named_by(descendant) == owner for descendant in ast.walk(node.value))
    if isinstance(node, ast.Call) and named_by(node.func) in {"getattr", "attrgetter", "methodcaller"}:
        return any(isinstance(argument, ast.Constant) and argument.value == method for argument in node.args)
    if not isinstance(node, ast.Attribute) or node.attr != method or named_by(node.value) != owner:
        return False
    return not any(_only_asks(holder, node) for holder in ast.walk(tree))


def _only_asks(holder: ast.AST, method: ast.Attribute) -> bool:
    """Whether a node around only inspects a method, or calls it with the enclosing method's ``self``."""
    if isinstance(holder, ast.Attribute):
        return holder.value is method
    if not isinstance(holder, ast.Call):
        return False
    first = holder.args[0] if holder.args else None
    is_own = holder.func is method and isinstance(first, ast.Name) and first.id == "self"
    return is_own or (named_by(holder.func) in _ASKING and method in holder.args)
