"""Collect the subclasses and the base classes of a class, whose objects may share its methods. Pure."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from spark_lsp.actions.python.analysis.call_sites import dotted
from spark_lsp.actions.python.analysis.classes import ClassAt, Classes, says_nothing
from spark_lsp.actions.python.analysis.scopes import names_of
from spark_lsp.actions.refusal import Refusal

Files = Callable[[str], frozenset[str]]
"""Returns the Python files of the workspace that mention a name."""

_TAKES_ANY_OBJECT: Final = frozenset({"ABC", "Protocol"})
_ASKS_ANOTHER: Final = frozenset({"__getattr__", "__getattribute__"})


@dataclass(frozen=True, slots=True)
class ClassHierarchy:
    """``own`` are a class and its subclasses; ``above`` are all base classes of these."""

    owner: ClassAt
    own: frozenset[ClassAt]
    above: frozenset[ClassAt]
    parents: dict[ClassAt, ClassAt]
    """The base in ``own`` of each subclass; the last one if it has several."""


def class_hierarchy_of(classes: Classes, owner: ClassAt, files: Files) -> ClassHierarchy | Refusal:
    """Return the hierarchy of a class, or why it is not certain."""
    own = {owner}
    parents: dict[ClassAt, ClassAt] = {}
    todo = [owner]
    while todo:
        current = todo.pop()
        for subclass in _derived(classes, current, files):
            if isinstance(subclass, Refusal):
                return subclass
            parents[subclass] = current
            if subclass not in own:
                own.add(subclass)
                todo.append(subclass)
    above: set[ClassAt] = set()
    for class_at in own:
        for base in classes.ancestors(class_at):
            if base is None:
                return Refusal("calls", f"The base classes of {class_at.name} in {class_at.path} are not known.")
            above.add(base)
    return ClassHierarchy(owner, frozenset(own), frozenset(above - own), parents)


def _derived(classes: Classes, parent: ClassAt, files: Files) -> Iterator[ClassAt | Refusal]:
    for path in sorted(files(parent.name) | {parent.path}):
        source = classes.read(path)
        if source is None:
            yield Refusal("unreadable", f"{path} does not compile, or has changed on disk.")
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.alias) and node.name == parent.name and node.asname not in {None, parent.name}:
                yield Refusal("calls", f"{path}:{node.lineno}: {parent.name} has another name here.")
            if not isinstance(node, ast.ClassDef):
                continue
            here = classes.meaning(path, ast.Name(node.name, ast.Load()))
            for base in node.bases:
                core = base.value if isinstance(base, ast.Subscript) else base
                if not any(_last_name(descendant) == parent.name for descendant in ast.walk(core)):
                    continue
                meant = classes.meaning(path, core)
                if meant not in {parent, None}:
                    continue
                if meant is None or here is None or classes.body(here) is not node:
                    message = f"{path}:{node.lineno}: it is not certain that {node.name} derives from {parent.name}."
                    yield Refusal("calls", message)
                else:
                    yield here


def _last_name(node: ast.AST) -> str:
    return dotted(node).rpartition(".")[2]


def judged(
    classes: Classes, hierarchy: ClassHierarchy, classes_found: frozenset[ClassAt], method: str
) -> Literal["own", "other", "unknown"]:
    """Return whether a method of objects of some classes is the hierarchy's, or certainly another or none."""
    if classes_found and classes_found <= hierarchy.own:
        return "own"
    return (
        "other"
        if classes_found and all(_has_another(classes, hierarchy, class_at, method) for class_at in classes_found)
        else "unknown"
    )


def _has_another(classes: Classes, hierarchy: ClassHierarchy, class_at: ClassAt, method: str) -> bool:
    if (
        class_at in hierarchy.own
        or class_at in hierarchy.above
        or class_at.origin == "outside"
        or says_nothing(class_at)
    ):
        return False
    known = (class_at, *classes.ancestors(class_at))
    bodies = [body for ancestor in known if ancestor is not None and (body := classes.body(ancestor)) is not None]
    is_open = any(ancestor is None or ancestor.origin == "outside" for ancestor in known)
    if any(body.keywords for body in bodies) or any(
        ancestor is not None and _takes_any(ancestor) for ancestor in known
    ):
        return False  # objects of other classes may count as its own
    bound = set[str]().union(*(names_of(body).bound for body in bodies))
    return method in bound or not (is_open or bound & _ASKS_ANOTHER)


def _takes_any(class_at: ClassAt) -> bool:
    return class_at.origin == "outside" and class_at.name in _TAKES_ANY_OBJECT
