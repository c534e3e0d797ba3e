"""The classes that derive from one, and those it derives from: objects of which a method may be another's. Pure."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from spark_lsp.actions.python.analysis.call_sites import dotted
from spark_lsp.actions.python.analysis.classes import ClassAt, Classes, says_nothing
from spark_lsp.actions.python.analysis.scopes import names_of
from spark_lsp.actions.refusal import Refusal

Files = Callable[[str], frozenset[str]]
"""Returns the Python files of the workspace that say a name."""

_TAKES_ANY_OBJECT: Final = frozenset({"ABC", "Protocol"})
_ASKS_ANOTHER: Final = frozenset({"__getattr__", "__getattribute__"})


@dataclass(frozen=True, slots=True)
class ClassHierarchy:
    """``own`` are a class and all that derive from it; ``above`` what any of these derives from."""

    owner: ClassAt
    own: frozenset[ClassAt]
    above: frozenset[ClassAt]
    parents: dict[ClassAt, ClassAt]
    """For each that derives, the one of ``own`` that it names as its base; the last where it names several."""


def class_hierarchy_of(classes: Classes, owner: ClassAt, files: Files) -> ClassHierarchy | Refusal:
    """Return the hierarchy of a class, or why it is not certain who belongs to it."""
    own = {owner}
    parents: dict[ClassAt, ClassAt] = {}
    todo = [owner]
    while todo:
        each = todo.pop()
        for found in _derived(classes, each, files):
            if isinstance(found, Refusal):
                return found
            parents[found] = each
            if found not in own:
                own.add(found)
                todo.append(found)
    above: set[ClassAt] = set()
    for each in own:
        for base in classes.ancestors(each):
            if base is None:
                return Refusal("calls", f"The base classes of {each.name} in {each.path} are not known.")
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
                if not any(_last_name(each) == parent.name for each in ast.walk(core)):
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
    classes: Classes, hierarchy: ClassHierarchy, found: frozenset[ClassAt], method: str
) -> Literal["own", "other", "unknown"]:
    """Tell whether a method of objects of some classes is that of the hierarchy, or certainly another or none."""
    if found and found <= hierarchy.own:
        return "own"
    return "other" if found and all(_has_another(classes, hierarchy, each, method) for each in found) else "unknown"


def _has_another(classes: Classes, hierarchy: ClassHierarchy, found: ClassAt, method: str) -> bool:
    if found in hierarchy.own or found in hierarchy.above or found.origin == "outside" or says_nothing(found):
        return False
    known = (found, *classes.ancestors(found))
    bodies = [body for each in known if each is not None and (body := classes.body(each)) is not None]
    is_open = any(each is None or each.origin == "outside" for each in known)
    if any(body.keywords for body in bodies) or any(each is not None and _takes_any(each) for each in known):
        return False  # objects of other classes may count as its own
    bound = set[str]().union(*(names_of(body).bound for body in bodies))
    return method in bound or not (is_open or bound & _ASKS_ANOTHER)


def _takes_any(found: ClassAt) -> bool:
    return found.origin == "outside" and found.name in _TAKES_ANY_OBJECT
