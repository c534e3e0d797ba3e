"""Find other methods of the same name in a workspace, which its calls may refer to as well. Pure."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from spark_lsp.actions.python.analysis.call_sites import CallIssue, binds
from spark_lsp.actions.python.analysis.class_hierarchy import ClassHierarchy
from spark_lsp.actions.python.analysis.classes import Classes, files_mentioning
from spark_lsp.actions.python.analysis.source import Source
from spark_lsp.index.storage.view import IndexView

_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_ANSWERS_ANY: Final = ("__getattr__", "__getattribute__")
_SEVERAL: Final = frozenset({"class", "field", "function", "method"})


def same_name_method(
    classes: Classes, view: IndexView, own_path: str, function: ast.AST, hierarchy: ClassHierarchy | None
) -> str | CallIssue:
    """Return another file that defines the name of a method, empty for none.

    A definition in a class whose objects may also be of the method's class is an issue: no call is certain.
    """
    name, line = getattr(function, "name", ""), getattr(function, "lineno", 0)
    owner_path = ""
    source = classes.read(own_path)
    for node in _definitions(source, name) if source is not None else ():
        if node is function:
            continue
        assert source is not None, "it has definitions"
        statement = source.statement_of(node)
        if hierarchy is None or _is_related(classes, own_path, source, statement, hierarchy):
            return CallIssue(statement.lineno, f"{name} is defined here as well")
        owner_path = own_path
    for path in dict.fromkeys(
        path for path, definition in view.definitions.get(name, ()) if definition.kind in _SEVERAL
    ):
        if path == own_path:
            continue
        source = classes.read(path)
        nodes = list(_definitions(source, name)) if source is not None else []
        fields = [node for node in ast.walk(source.tree) if _sets(node, name)] if source is not None else []
        if source is None or not (nodes or fields) or hierarchy is None:
            return CallIssue(line, f"{name} is defined in {path} as well")
        if any(_is_related(classes, path, source, source.statement_of(node), hierarchy) for node in (*nodes, *fields)):
            return CallIssue(line, f"{name} is defined in {path} as well")
        owner_path = owner_path or path
    return owner_path or _answers_any(view, name)


def _answers_any(view: IndexView, name: str) -> str:
    """Return a file with objects that may have a method of any name, or of this one without a definition."""
    for word in _ANSWERS_ANY:
        if word in view.definitions:
            return min(view.definitions[word].paths())
    word = re.escape(name)
    given = re.compile(rf"(?<![\w.]){word}\s*=(?!=)|\.{word}\s*=(?!=)|[\"']{word}[\"']\s*[:,)]")
    return next((path for path in sorted(files_mentioning(view, name)) if given.search(view.files[path].text)), "")


def _definitions(source: Source, name: str) -> Iterator[ast.AST]:
    """Yield the definitions of a name, and the nodes that assign it in a class."""
    for node in ast.walk(source.tree):
        if not isinstance(node, (*_DEFINITIONS, ast.Name, ast.alias)) or not binds(node, name):
            continue
        if isinstance(node, _DEFINITIONS) or isinstance(source.scope_of(source.statement_of(node)), ast.ClassDef):
            yield node


def _sets(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name and not isinstance(node.ctx, ast.Load)


def _is_related(classes: Classes, path: str, source: Source, statement: ast.stmt, hierarchy: ClassHierarchy) -> bool:
    """Whether a definition is in a class of a hierarchy or its bases, or in an unknown relation to it."""
    holders = [parent for _, parent in source.around(statement) if isinstance(parent, ast.ClassDef)]
    for holder in holders:
        meant = classes.meaning(path, ast.Name(holder.name, ast.Load()))
        is_known = meant is not None and classes.body(meant) is holder
        if not is_known or meant in hierarchy.own or meant in hierarchy.above:
            return True
    return False
