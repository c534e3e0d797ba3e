"""Find the calls in a workspace that create an object by one class's ``__init__``, or why that is unknown. Pure.

Such a call names the class or a subclass, is ``super().__init__``, or names the class as ``cls`` or ``type(self)`` in
its own methods. If a class is passed on as a value, some calls may be invisible.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from spark_lsp.actions.python.analysis.call_sites import CallIssue, Calls, dotted, in_order_of_text
from spark_lsp.actions.python.analysis.class_hierarchy import ClassHierarchy, judged
from spark_lsp.actions.python.analysis.classes import ClassAt, Classes
from spark_lsp.actions.python.analysis.receivers import Receivers
from spark_lsp.actions.python.analysis.scopes import names_of
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.actions.python.analysis.walks import first_parameter
from spark_lsp.actions.refusal import Refusal

INIT: Final = "__init__"
_HARMLESS_BASES: Final = frozenset({"ABC", "Generic", "object"})
_HARMLESS_DECORATORS: Final = frozenset({"final", "runtime_checkable", "total_ordering"})
_OTHER_MAKERS: Final = frozenset({"__new__"})
_ASKING: Final = frozenset({"cast", "isinstance", "issubclass"})
_SAID: Final = frozenset({"__doc__", "__module__", "__name__", "__qualname__"})
_OF_THE_CLASS: Final = frozenset({"__class_getitem__", "__init_subclass__", "__new__"})


@dataclass(frozen=True, slots=True)
class Constructors:
    """Calls of ``subclasses`` run the ``__init__``; so does ``super().__init__`` in ``callers``."""

    hierarchy: ClassHierarchy
    subclasses: frozenset[ClassAt]
    callers: frozenset[ClassAt]


def constructors_of(classes: Classes, hierarchy: ClassHierarchy) -> Constructors | Refusal:
    """Return which classes of a hierarchy are created by its owner's ``__init__``, or why that is not certain."""
    for class_at in (*hierarchy.own, *(ancestor for ancestor in hierarchy.above if ancestor.origin == "workspace")):
        if why := _is_special(classes, class_at, is_owner=class_at not in hierarchy.parents):
            return Refusal("calls", f"{class_at.path}: what a call of {class_at.name} does is not known: {why}.")
    subclasses = {hierarchy.owner}
    while more := {
        class_at
        for class_at, parent in hierarchy.parents.items()
        if parent in subclasses and class_at not in subclasses and not _has_own(classes, class_at)
    }:
        subclasses |= more
    callers = {class_at for class_at, parent in hierarchy.parents.items() if parent in subclasses}
    return Constructors(hierarchy, frozenset(subclasses), frozenset(callers))


def _has_own(classes: Classes, class_at: ClassAt) -> bool:
    body = classes.body(class_at)
    return body is not None and INIT in names_of(body).bound


def _is_special(classes: Classes, class_at: ClassAt, *, is_owner: bool) -> str:
    """Return why a call of the class does more than call its ``__init__``, empty for nothing."""
    body = classes.body(class_at)
    if body is None:
        return "it is not read"
    if any(
        keyword.arg != "metaclass" or dotted(keyword.value).rpartition(".")[2] != "ABCMeta" for keyword in body.keywords
    ):
        return "it has a metaclass or keywords"
    names = {
        dotted(decorator.func if isinstance(decorator, ast.Call) else decorator) for decorator in body.decorator_list
    }
    if unknown := {name for name in names if name.rpartition(".")[2] not in _HARMLESS_DECORATORS}:
        return f"it is decorated with {min(unknown) or 'something'}"
    if makers := sorted(names_of(body).bound & _OTHER_MAKERS):
        return f"it has {makers[0]}"
    bases = [base for base in classes.bases(class_at) if base is None or base.name not in _HARMLESS_BASES]
    if any(base is None or base.origin != "workspace" for base in bases):
        return "it derives from a class that is not in the workspace"
    return "" if is_owner or len(bases) <= 1 else "it derives from several classes"


def constructor_calls(classes: Classes, path: str, source: Source, constructors: Constructors) -> Calls:
    """Return the calls of the ``__init__`` in one file."""
    calls: list[ast.Call] = []
    for way in (_by_name, _by_super, _by_own_class):
        for found_calls in way(classes, path, source, constructors):
            if isinstance(found_calls, CallIssue):
                return found_calls
            calls.append(found_calls)
    return in_order_of_text(calls)


FoundCalls = Iterator[ast.Call | CallIssue]


def _by_name(classes: Classes, path: str, source: Source, constructors: Constructors) -> FoundCalls:
    """Yield the calls of the classes by their names."""
    names = {subclass.name for subclass in constructors.subclasses}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.alias) and node.name in names and node.asname not in {None, node.name}:
            yield CallIssue(node.lineno, f"{node.name} has another name here")
        is_name = isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)
        if not is_name and not (isinstance(node, ast.Attribute) and node.attr in names):
            continue
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        meant = classes.meaning(path, node)
        line = getattr(node, "lineno", 0)
        if meant is None:
            yield CallIssue(line, f"{name} may be another class here")
        elif meant in constructors.subclasses:
            yield from _used(source, node, name)


def _used(source: Source, node: ast.AST, name: str) -> FoundCalls:
    """Yield the call of a class, nothing for a harmless use, otherwise the issue."""
    parent = source.parent(node)
    if isinstance(parent, ast.Call) and parent.func is node:
        yield parent
    elif not _is_harmless(source, node):
        yield CallIssue(getattr(node, "lineno", 0), f"{name} is passed on without being called")


def _is_harmless(source: Source, node: ast.AST) -> bool:
    """Whether a class is only inspected, compared, subclassed, or used as a type."""
    for child, around in source.around(node):
        if child in {getattr(around, "annotation", None), getattr(around, "returns", None)}:
            return True
        if isinstance(around, ast.Tuple | ast.BinOp | ast.Subscript):
            continue
        return _takes_harmlessly(child, around, is_itself=child is node)
    return False


def _takes_harmlessly(child: ast.AST, around: ast.AST, *, is_itself: bool) -> bool:
    if isinstance(around, ast.Attribute):
        return is_itself and (around.attr in _SAID or not around.attr.startswith("__"))
    if isinstance(around, ast.ClassDef):
        return any(child is base for base in around.bases)
    if isinstance(around, ast.Call):
        asked = dotted(around.func).rpartition(".")[2]
        place = 0 if asked == "cast" else 1
        return asked in _ASKING and len(around.args) > place and around.args[place] is child
    return is_itself and isinstance(around, ast.Compare | ast.ExceptHandler | ast.MatchClass)


def _by_super(classes: Classes, path: str, source: Source, constructors: Constructors) -> FoundCalls:
    """Yield the calls of ``__init__`` as an attribute."""
    receivers = Receivers(classes, path, source)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Attribute) or node.attr != INIT:
            continue
        asked, parent = node.value, source.parent(node)
        if isinstance(asked, ast.Call) and dotted(asked.func) == "super":
            runs_it = _super_runs_it(classes, path, source, node, constructors)
            if runs_it and not asked.args and isinstance(parent, ast.Call) and parent.func is node:
                yield parent
                continue
            is_other = runs_it is False
        elif meant := classes.meaning(path, asked):
            is_other = meant not in constructors.subclasses
        else:
            is_other = judged(classes, constructors.hierarchy, receivers.classes_of(asked), INIT) == "other"
        if not is_other:
            yield CallIssue(node.lineno, f"it is not certain which {INIT} this is")


def _super_runs_it(
    classes: Classes, path: str, source: Source, node: ast.AST, constructors: Constructors
) -> bool | None:
    """Whether ``super().__init__`` at a node is the wanted one; None if that is not certain."""
    holder = next((parent for _, parent in source.around(node) if isinstance(parent, ast.ClassDef)), None)
    if holder is None:
        return None
    meaning = classes.meaning(path, ast.Name(holder.name, ast.Load()))
    if meaning is not None and classes.body(meaning) is holder:
        return meaning in constructors.callers
    bases = [classes.meaning(path, base) for base in holder.bases]
    return False if all(base is not None and base not in constructors.hierarchy.own for base in bases) else None


def _by_own_class(classes: Classes, path: str, source: Source, constructors: Constructors) -> FoundCalls:
    """Yield the calls of the object's, or the class method's, own class: ``cls()``, ``type(self)()``."""
    hierarchy = constructors.hierarchy
    for class_at in sorted((*hierarchy.own, *hierarchy.above), key=lambda owner: owner.name):
        body = classes.body(class_at) if class_at.path == path else None
        if body is None:
            continue
        derived = {class_at} | {subclass for subclass in hierarchy.own if class_at in classes.ancestors(subclass)}
        runs_it = derived & constructors.subclasses
        for node in ast.walk(body):
            if not runs_it or not _says_own_class(source, node, body):
                continue
            for calls in _used(source, node, "its own class"):
                if isinstance(calls, CallIssue) or derived <= constructors.subclasses:
                    yield calls
                else:
                    yield CallIssue(calls.lineno, "this may create an object of another class")


def _says_own_class(source: Source, node: ast.AST, body: ast.ClassDef) -> bool:
    """Whether an expression is the class of the enclosing method."""
    asked: ast.AST | None = None
    if isinstance(node, ast.Call) and dotted(node.func) == "type" and len(node.args) == 1:
        asked = node.args[0]
    elif isinstance(node, ast.Attribute) and node.attr == "__class__":
        asked = node.value
    elif isinstance(node, ast.Name) and node.id == "__class__":
        return True
    methods = [scope for scope in source.scopes_around(source.scope_of(node)) if source.parent(scope) is body]
    methods += [scope for scope in [source.scope_of(node)] if source.parent(scope) is body]
    if asked is not None:
        return any(dotted(asked) == first_parameter(method) != "" for method in methods)
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return False
    return any(node.id == first_parameter(method) for method in methods if _is_of_the_class(method))


def _is_of_the_class(method: ast.AST) -> bool:
    decorators = {ast.unparse(decorator) for decorator in getattr(method, "decorator_list", [])}
    return "classmethod" in decorators or getattr(method, "name", "") in _OF_THE_CLASS
