"""Find where an undefined name of an edit can be imported from. Reads the index and never asks a model.

In this order: as other files of the workspace import it, from the one file of the workspace that defines it, from the
standard library. A name that may be several things is not supplied.
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
"""Files whose imports are looked at for one name; those of the same folder first."""
_TEST: Final = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*$|conftest\.py$|[^/]*_test\.py$)")
_KINDS: Final = frozenset(("function", "class", "constant", "variable", "type"))


def supplied(name: str, path: str, text: str, view: IndexView, edited: str) -> Needed | None:
    """Return the import that gives a name to a Python file; None where there is none or it is not certain.

    ``edited`` is the text that uses it: a function of the standard library has to be called there, and of a module
    something has to be asked, for words like ``signature`` are rather variables that were forgotten.
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
    """Return how a text uses a name: it is called, asked for something, or neither."""
    tree = ast.parse(text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    called |= {id(decorator) for node in ast.walk(tree) for decorator in getattr(node, "decorator_list", [])}
    asked = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name]
    return {"called" if id(node) in called else "asked" if id(node) in asked else "read" for node in names}


def module_name(path: str) -> str:
    """Return the dotted name by which a file of the workspace is imported."""
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
    """Return the import of a name that one file alone defines at its top, unless that file imports this one."""
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
