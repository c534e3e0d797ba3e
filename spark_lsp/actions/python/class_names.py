"""Whether one more method of a class would be seen: by what lists the names of the class, or of its objects.

Looked at are the bodies of the class, of those it derives from and of those that derive from it, where an object lists
what it has itself, and files that name the class. What is given an object or a class and lists it is not known.
"""

import ast
from dataclasses import dataclass
from functools import partial

from spark_lsp.actions.python.calls.classes import ClassAt, Classes
from spark_lsp.actions.python.calls.family import Family, family_of
from spark_lsp.actions.python.calls.reach import classes_of, saying
from spark_lsp.actions.python.calls.receivers import Receivers
from spark_lsp.actions.python.host import first_parameter
from spark_lsp.actions.python.listing import LISTERS, Seen, seen_in
from spark_lsp.actions.python.scopes import FUNCTIONS
from spark_lsp.actions.python.source import Scope, Source
from spark_lsp.actions.python.walks import said_by
from spark_lsp.index.view import IndexView

_OF_THE_CLASS = frozenset({"__class_getitem__", "__init_subclass__", "__new__"})


def seen_methods(source: Source, path: str, owner: ast.ClassDef, view: IndexView) -> Seen:
    """Return what sees the name of a method that a class of the file at ``path`` gets."""
    classes = classes_of({path: source}, view)
    found = classes.meaning(path, ast.Name(owner.name, ast.Load()))
    family = family_of(classes, found, partial(saying, view)) if found and classes.body(found) is owner else None
    own, above = frozenset[ClassAt](), frozenset[ClassAt]()
    if isinstance(family, Family):
        own, above = family.own, family.above
    elif found is not None and family is not None:
        own, above = frozenset({found}), frozenset(each for each in classes.ancestors(found) if each is not None)
    bodies = {id(owner), *(id(classes.body(each)) for each in own | above)}
    lists = frozenset().union(*(saying(view, each) for each in LISTERS)) & saying(view, owner.name)
    paths = {*lists, *(each.path for each in own | above if each.origin == "workspace")}
    seen = []
    for name in [path, *sorted(paths - {path})]:
        read = classes.read(name)
        if read is not None:
            known = _Known(read, name, classes, own, frozenset(bodies))
            seen.append(seen_in(name, read, known.is_it, "class", is_own=False, is_function=True))
    return Seen(next((each.refusal for each in seen if each.refusal), ""), any(each.public for each in seen))


@dataclass(frozen=True, slots=True)
class _Known:
    """What a file knows of a class: ``own`` are it and those below, ``bodies`` those of its relatives."""

    source: Source
    path: str
    classes: Classes
    own: frozenset[ClassAt]
    bodies: frozenset[int]

    def is_it(self, node: ast.expr) -> bool:
        """Whether an expression is the class, or an object of it that is asked for all that it has."""
        asked = self.source.parent(node)
        lists_object = isinstance(asked, ast.Call) and said_by(asked.func) != "vars"
        return self._is_class(node) or (lists_object and self._is_object(node))

    def _is_class(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call) and said_by(node.func) == "type" and len(node.args) == 1:
            return self._is_object(node.args[0])
        if isinstance(node, ast.Attribute) and node.attr == "__class__":
            return self._is_object(node.value)
        method = self._method_of(node)
        if method is not None:
            is_class_method = any(said_by(each) == "classmethod" for each in getattr(method, "decorator_list", []))
            return is_class_method or getattr(method, "name", "") in _OF_THE_CLASS
        return self.classes.meaning(self.path, node) in self.own

    def _is_object(self, node: ast.expr) -> bool:
        if self._method_of(node) is not None:
            return not self._is_class(node)
        return bool(self.own & Receivers(self.classes, self.path, self.source).classes_of(node))

    def _method_of(self, node: ast.expr) -> Scope | None:
        """Return the method of a relative whose first parameter an expression is, also in a function within it."""
        if not isinstance(node, ast.Name):
            return None
        scope = self.source.scope_of(node)
        for each in (scope, *self.source.scopes_around(scope)):
            is_method = isinstance(each, FUNCTIONS) and id(self.source.parent(each)) in self.bodies
            if is_method and first_parameter(each) == node.id:
                return each
        return None
