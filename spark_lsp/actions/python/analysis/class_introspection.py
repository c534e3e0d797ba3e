"""Decide whether a new method would be visible to code that lists the names of a class or its objects.

Examines the bodies of the class, its bases and its subclasses, where an object lists its own names, and files that
mention the class. Code that receives an object or a class and lists its names elsewhere is not found.
"""

import ast
import re
from dataclasses import dataclass
from functools import partial

from spark_lsp.actions.python.analysis.class_hierarchy import ClassHierarchy, class_hierarchy_of
from spark_lsp.actions.python.analysis.classes import ClassAt, Classes, classes_of, files_mentioning
from spark_lsp.actions.python.analysis.introspection import LISTERS, Seen, seen_in
from spark_lsp.actions.python.analysis.module_introspection import MAY_LIST
from spark_lsp.actions.python.analysis.receivers import Receivers
from spark_lsp.actions.python.analysis.scopes import FUNCTIONS
from spark_lsp.actions.python.analysis.source import Scope, Source
from spark_lsp.actions.python.analysis.walks import first_parameter, named_by
from spark_lsp.actions.refusal import Refusal
from spark_lsp.index.storage.view import IndexView

_PLAIN_METACLASSES = frozenset({"ABCMeta", "EnumMeta", "EnumType", "type"})
_OF_THE_CLASS = frozenset({"__class_getitem__", "__init_subclass__", "__new__"})


def seen_methods(source: Source, path: str, owner: ast.ClassDef, view: IndexView) -> Seen:
    """Return the code that would see a new method of a class in the file at ``path``."""
    relatives = Relatives.of(source, path, owner, view)
    if (maker := _maker(source, owner, relatives)) is not None:
        return Seen(maker)
    lists = frozenset[str]().union(*(files_mentioning(view, word) for word in LISTERS)) & files_mentioning(
        view, owner.name
    )
    seen = []
    lists = frozenset(path for path in lists if MAY_LIST.search(view.files[path].text))
    for name in [path, *sorted((lists | relatives.paths) - {path})]:
        read = relatives.classes.read(name)
        if read is not None:
            known = relatives.known(name, read)
            seen.append(seen_in(name, read, known.is_it, "class", is_own=False, is_function=True))
    return Seen(
        next((result.refusal for result in seen if result.refusal), None), any(result.public for result in seen)
    )


def _maker(source: Source, owner: ast.ClassDef, relatives: "Relatives") -> Refusal | None:
    """Return the metaclass or decorator that receives all names of a class, or of one of its bases."""
    known = {base for owned in relatives.own for base in relatives.classes.ancestors(owned) if base is not None}
    bodies = [relatives.classes.body(relative) for relative in relatives.own | known]
    functions = {node.name: node for node in source.tree.body if isinstance(node, ast.FunctionDef)}
    for body in (owner, *(definition for definition in bodies if definition is not None)):
        for keyword in body.keywords:
            if keyword.arg == "metaclass" and named_by(keyword.value) not in _PLAIN_METACLASSES:
                message = f"The metaclass {ast.unparse(keyword.value)} of {body.name} may see the names of the class."
                return Refusal("reflection", message, assumption="reflection")
        for decorator in body.decorator_list:
            name = named_by(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if name in functions and any(named_by(node) in LISTERS for node in ast.walk(functions[name])):
                message = f"The decorator {name} of {body.name} may see the names of the class."
                return Refusal("reflection", message, assumption="reflection")
    return None


def _deriving(view: IndexView, name: str) -> frozenset[str]:
    """Return the files in which a class may derive from a class of that name."""
    may = re.compile(rf"\bclass\s+\w+\s*\([^)]*\b{re.escape(name)}\b|\b{re.escape(name)}\s+as\b")
    return frozenset(path for path in files_mentioning(view, name) if may.search(view.files[path].text))


@dataclass(frozen=True, slots=True)
class Relatives:
    """A class and those that share its objects: ``own`` are it and its subclasses, ``bodies`` include its bases."""

    classes: Classes
    own: frozenset[ClassAt]
    bodies: frozenset[int]
    paths: frozenset[str]

    @classmethod
    def of(cls, source: Source, path: str, owner: ast.ClassDef, view: IndexView) -> "Relatives":
        """Return the relatives of a class if they are certain."""
        classes = classes_of({path: source}, view)
        meaning = classes.meaning(path, ast.Name(owner.name, ast.Load()))
        if meaning is None or classes.body(meaning) is not owner:
            return cls(classes, frozenset(), frozenset({id(owner)}), frozenset({path}))
        hierarchy = class_hierarchy_of(classes, meaning, partial(_deriving, view))
        own = hierarchy.own if isinstance(hierarchy, ClassHierarchy) else frozenset({meaning})
        above = {base for class_at in own for base in classes.ancestors(class_at) if base is not None}
        known = {class_at for class_at in own | above if class_at.origin == "workspace"}
        bodies = frozenset(id(classes.body(class_at)) for class_at in known)
        return cls(classes, own, bodies, frozenset(class_at.path for class_at in known))

    def known(self, path: str, source: Source) -> "KnownClass":
        """Return what a file knows of the relatives."""
        return KnownClass(source, path, self.classes, self.own, self.bodies)


@dataclass(frozen=True, slots=True)
class KnownClass:
    """What a file knows of a class and its relatives."""

    source: Source
    path: str
    classes: Classes
    own: frozenset[ClassAt]
    bodies: frozenset[int]

    def is_it(self, node: ast.expr) -> bool:
        """Whether an expression is the class, or an object of it whose names are listed."""
        asked = self.source.parent(node)
        lists_object = isinstance(asked, ast.Call) and named_by(asked.func) != "vars"
        return self.is_class(node) or (lists_object and self.is_object(node))

    def is_class(self, node: ast.expr) -> bool:
        """Whether an expression is the class, or the class of the object in a method of a relative."""
        if isinstance(node, ast.Call) and named_by(node.func) == "type" and len(node.args) == 1:
            return self.is_object(node.args[0])
        if isinstance(node, ast.Attribute) and node.attr == "__class__":
            return self.is_object(node.value)
        method = self._method_of(node)
        if method is not None:
            is_class_method = any(
                named_by(decorator) == "classmethod" for decorator in getattr(method, "decorator_list", [])
            )
            return is_class_method or getattr(method, "name", "") in _OF_THE_CLASS
        return self.classes.meaning(self.path, node) in self.own

    def is_object(self, node: ast.expr) -> bool:
        """Whether an expression is an object of the class, or the object in a method of a relative."""
        if self._method_of(node) is not None:
            return not self.is_class(node)
        return bool(self.own & Receivers(self.classes, self.path, self.source).classes_of(node))

    def _method_of(self, node: ast.expr) -> Scope | None:
        """Return the relative's method whose first parameter an expression is, also from an inner function."""
        if not isinstance(node, ast.Name):
            return None
        scope = self.source.scope_of(node)
        for enclosing in (scope, *self.source.scopes_around(scope)):
            is_method = isinstance(enclosing, FUNCTIONS) and id(self.source.parent(enclosing)) in self.bodies
            if is_method and first_parameter(enclosing) == node.id:
                return enclosing
        return None
