"""Find the import for an undefined name of an edit. Reads the index and never calls a model.

Sources in order: imports of other workspace files, the one workspace file that defines the name, the standard library.
An ambiguous name is not imported.
"""

import ast
import re
from collections import Counter
from pathlib import PurePosixPath
from typing import Final

from spark_lsp.actions.checks.import_block import Needed, imports_of
from spark_lsp.actions.checks.stdlib import is_module, module_of
from spark_lsp.index.storage.view import IndexView

MAX_FILES_READ: Final = 24
"""Files whose imports are read for one name, those in the same folder first."""
_TEST: Final = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*$|conftest\.py$|[^/]*_test\.py$)")
_KINDS: Final = frozenset(("function", "class", "constant", "variable", "type"))


def supplied(name: str, path: str, text: str, view: IndexView, edited: str) -> Needed | None:
    """Return the import that provides a name in a Python file; None if there is none or it is not certain.

    ``edited`` is the text that uses the name: a standard library function must be called there, and a module must be
    used with an attribute, because words like ``signature`` are more often forgotten variables.
    """
    imported = _as_others_do(name, path, view) or _from_workspace(name, path, text, view)
    if imported is not None:
        return imported
    uses = _uses(name, edited)
    if is_module(name) and uses == {"asked"}:
        return Needed(name)
    module = module_of(name)
    is_meant = not name[:1].islower() or uses == {"called"} or module in {"collections", "functools"}
    return Needed(module, name) if module and is_meant else None


def _uses(name: str, text: str) -> set[str]:
    """Return how a text uses a name: calls it, reads an attribute of it, or neither."""
    tree = ast.parse(text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    called |= {id(decorator) for node in ast.walk(tree) for decorator in getattr(node, "decorator_list", [])}
    asked = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name]
    return {"called" if id(node) in called else "asked" if id(node) in asked else "read" for node in names}


def module_name(path: str) -> str:
    """Return the dotted name that imports a file of the workspace."""
    return ".".join(PurePosixPath(path).with_suffix("").parts).removeprefix("src.").removesuffix(".__init__")


def _as_others_do(name: str, path: str, view: IndexView) -> Needed | None:
    """Return the import of a name that most other files have; a relative one from the same folder only."""
    folder = PurePosixPath(path).parent
    users = [user for user in view.referencing.get(name, ()) if user != path and user.endswith(".py")]
    users.sort(key=lambda user: (PurePosixPath(user).parent != folder, user))
    votes: Counter[Needed] = Counter()
    for user in users[:MAX_FILES_READ]:
        for needed in _imports_in(view.files[user].text if user in view.files else ""):
            if needed.bound == name and (not needed.level or PurePosixPath(user).parent == folder):
                votes[needed] += 1
    ranked = votes.most_common(2)
    is_clear = len(ranked) == 1 or (len(ranked) == 2 and ranked[0][1] > ranked[1][1])
    return ranked[0][0] if is_clear else None


def _imports_in(text: str) -> list[Needed]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [
        imported for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) for imported in imports_of(node)
    ]


def _from_workspace(name: str, path: str, text: str, view: IndexView) -> Needed | None:
    """Return the import of a name that only one file defines at top level, unless that file imports this one."""
    places = view.definitions.get(name, ())
    top = {
        where
        for where, definition in places
        if not definition.container and definition.kind in _KINDS and where.endswith(".py")
    }
    top = {where for where in top if where != path and (not _TEST.search(where) or _TEST.search(path))}
    if len(top) != 1:
        return None
    (where,) = top
    own = module_name(path)
    entry = view.files.get(where)
    if entry is None or own.rpartition(".")[2] in {
        word for imported in _imports_in(entry.text) for word in _words(imported)
    }:
        return None
    same_folder = PurePosixPath(where).parent == PurePosixPath(path).parent
    is_relative = any(imported.level for imported in _imports_in(text))
    if same_folder and is_relative:
        return Needed(PurePosixPath(where).stem, name, level=1)
    return Needed(module_name(where), name)


def _words(needed: Needed) -> set[str]:
    return {*needed.module.split("."), needed.name}
