"""Which calls of a workspace's files make an object of one class by its ``__init__``, or what keeps that unknown. Pure.

Such calls name the class or one that derives from it, come from ``super().__init__``, or name the class as ``cls`` or
``type(self)`` in its own methods. Where a class is handed on as a value there may be calls that no one sees.
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
    """Return which classes of a hierarchy are made by its owner's ``__init__``, or why that is not certain."""
    for each in (*hierarchy.own, *(each for each in hierarchy.above if each.origin == "workspace")):
        if why := _is_special(classes, each, is_owner=each not in hierarchy.parents):
            return Refusal("calls", f"{each.path}: what a call of {each.name} does is not known: {why}.")
    subclasses = {hierarchy.owner}
    while more := {
        each
        for each, parent in hierarchy.parents.items()
        if parent in subclasses and each not in subclasses and not _has_own(classes, each)
    }:
        subclasses |= more
    callers = {each for each, parent in hierarchy.parents.items() if parent in subclasses}
    return Constructors(hierarchy, frozenset(subclasses), frozenset(callers))


def _has_own(classes: Classes, found: ClassAt) -> bool:
    body = classes.body(found)
    return body is not None and INIT in names_of(body).bound


def _is_special(classes: Classes, found: ClassAt, *, is_owner: bool) -> str:
    """Say what makes the call of a class more than that of its ``__init__``, empty for nothing."""
    body = classes.body(found)
    if body is None:
        return "it is not read"
    if any(each.arg != "metaclass" or dotted(each.value).rpartition(".")[2] != "ABCMeta" for each in body.keywords):
        return "it has a metaclass or keywords"
    names = {dotted(each.func if isinstance(each, ast.Call) else each) for each in body.decorator_list}
    if unknown := {each for each in names if each.rpartition(".")[2] not in _HARMLESS_DECORATORS}:
        return f"it is decorated with {min(unknown) or 'something'}"
    if made := sorted(names_of(body).bound & _OTHER_MAKERS):
        return f"it has {made[0]}"
    bases = [each for each in classes.bases(found) if each is None or each.name not in _HARMLESS_BASES]
    if any(each is None or each.origin != "workspace" for each in bases):
        return "it derives from a class that is not of the workspace"
    return "" if is_owner or len(bases) <= 1 else "it derives from several classes"


def constructor_calls(classes: Classes, path: str, source: Source, constructors: Constructors) -> Calls:
    """Return the calls of the ``__init__`` in one file."""
    calls: list[ast.Call] = []
    for way in (_by_name, _by_super, _by_own_class):
        for found in way(classes, path, source, constructors):
            if isinstance(found, CallIssue):
                return found
            calls.append(found)
    return in_order_of_text(calls)


Found = Iterator[ast.Call | CallIssue]


def _by_name(classes: Classes, path: str, source: Source, constructors: Constructors) -> Found:
    """Yield the calls of the classes by their names."""
    names = {each.name for each in constructors.subclasses}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.alias) and node.name in names and node.asname not in {None, node.name}:
            yield CallIssue(node.lineno, f"{node.name} has another name here")
        is_name = isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)
        if not is_name and not (isinstance(node, ast.Attribute) and node.attr in names):
            continue
        said = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        meant = classes.meaning(path, node)
        line = getattr(node, "lineno", 0)
        if meant is None:
            yield CallIssue(line, f"{said} may be another class here")
        elif meant in constructors.subclasses:
            yield from _used(source, node, said)


def _used(source: Source, node: ast.AST, said: str) -> Found:
    """Yield the call of a class, nothing for a use that hands it to no one, else what is wrong."""
    parent = source.parent(node)
    if isinstance(parent, ast.Call) and parent.func is node:
        yield parent
    elif not _is_harmless(source, node):
        yield CallIssue(getattr(node, "lineno", 0), f"{said} is passed on without being called")


def _is_harmless(source: Source, node: ast.AST) -> bool:
    """Whether a class is only asked for something, compared, derived from, or said to be a type."""
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


def _by_super(classes: Classes, path: str, source: Source, constructors: Constructors) -> Found:
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
    """Whether ``super().__init__`` at a node is the one that is looked for; None where that is not certain."""
    holder = next((parent for _, parent in source.around(node) if isinstance(parent, ast.ClassDef)), None)
    if holder is None:
        return None
    found = classes.meaning(path, ast.Name(holder.name, ast.Load()))
    if found is not None and classes.body(found) is holder:
        return found in constructors.callers
    bases = [classes.meaning(path, each) for each in holder.bases]
    return False if all(each is not None and each not in constructors.hierarchy.own for each in bases) else None


def _by_own_class(classes: Classes, path: str, source: Source, constructors: Constructors) -> Found:
    """Yield the calls of the class that an object, or a method of the class, is of: ``cls()``, ``type(self)()``."""
    hierarchy = constructors.hierarchy
    for each in sorted((*hierarchy.own, *hierarchy.above), key=lambda one: one.name):
        body = classes.body(each) if each.path == path else None
        if body is None:
            continue
        derived = {each} | {one for one in hierarchy.own if each in classes.ancestors(one)}
        runs_it = derived & constructors.subclasses
        for node in ast.walk(body):
            if not runs_it or not _says_own_class(source, node, body):
                continue
            for found in _used(source, node, "its own class"):
                if isinstance(found, CallIssue) or derived <= constructors.subclasses:
                    yield found
                else:
                    yield CallIssue(found.lineno, "this may make an object of another class")


def _says_own_class(source: Source, node: ast.AST, body: ast.ClassDef) -> bool:
    """Whether an expression is the class of the object, or of the method, that it stands in a method of."""
    asked: ast.AST | None = None
    if isinstance(node, ast.Call) and dotted(node.func) == "type" and len(node.args) == 1:
        asked = node.args[0]
    elif isinstance(node, ast.Attribute) and node.attr == "__class__":
        asked = node.value
    elif isinstance(node, ast.Name) and node.id == "__class__":
        return True
    methods = [each for each in source.scopes_around(source.scope_of(node)) if source.parent(each) is body]
    methods += [scope for scope in [source.scope_of(node)] if source.parent(scope) is body]
    if asked is not None:
        return any(dotted(asked) == first_parameter(each) != "" for each in methods)
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return False
    return any(node.id == first_parameter(each) for each in methods if _is_of_the_class(each))


def _is_of_the_class(method: ast.AST) -> bool:
    decorators = {ast.unparse(each) for each in getattr(method, "decorator_list", [])}
    return "classmethod" in decorators or getattr(method, "name", "") in _OF_THE_CLASS
