"""The source of missing imports: a new name that one module of the workspace defines, and the file does not.

The line goes to its sorted place. Pure but for the texts of the index; belongs on a worker thread.
"""

import ast
import builtins
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Final

from spark_lsp.actions.checks.import_block import Needed, with_imports
from spark_lsp.edits.journal import difference
from spark_lsp.edits.next_edit import NOTHING, NextEdit, Silence, Situation
from spark_lsp.edits.python_bindings import Bindings
from spark_lsp.edits.rename_python import python_source
from spark_lsp.edits.rename_source import SourceEdits
from spark_lsp.index.parse.imports import resolve
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.edit import Span

MAX_BURSTS: Final = 3
MIN_LETTERS: Final = 3
"""A shorter name is defined once by chance."""
_NAME: Final = re.compile(r"[^\W\d]\w*")
_ROOTS: Final = ("src/", "lib/", "python/")
"""Folders that are on the path of a package by custom."""


def import_edits(situation: Situation) -> SourceEdits | Silence:
    """Return the import of the first name just written that lacks one."""
    if situation.language.name != "python" or not situation.is_whole:
        return NOTHING
    source = python_source(situation.text)
    if source is None:
        return NOTHING
    bindings = Bindings(source)
    for name in written_names(situation):
        if not is_missing(bindings, name):
            continue
        needed = needed_import(situation.view, situation.path, name)
        edit = import_edit(situation.path, situation.text, [needed]) if needed is not None else None
        if edit is not None:
            return SourceEdits((edit,))
    return NOTHING


def suggested_imports(view: IndexView, path: str, text: str, suggested: Span) -> NextEdit | None:
    """Return the edit that imports the names of a suggestion, which a Python text holds already; None for no such name.

    A name counts that the file defines nowhere, and that one module of the workspace defines, once.
    """
    source = python_source(text)
    if source is None:
        return None
    start = suggested.start
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    bindings = Bindings(source)
    missing = [name for name in dict.fromkeys(_NAME.findall(text, start, suggested.end)) if is_missing(bindings, name)]
    needed = [import_line for name in missing if (import_line := needed_import(view, path, name)) is not None]
    edit = import_edit(path, text, needed) if needed else None
    return edit if edit is not None and edit.span.end <= start else None


def written_names(situation: Situation) -> list[str]:
    """Return the names that the last bursts added, but for one that may still be typed."""
    added: list[str] = []
    for before in islice(situation.texts_before, MAX_BURSTS):
        change = difference(before, situation.text, 0.0)
        end = change.start + len(change.inserted)
        start = change.start
        while start and (situation.text[start - 1].isalnum() or situation.text[start - 1] == "_"):
            start -= 1
        written = situation.text[start:end]
        was = Counter(_NAME.findall(before))
        now = Counter(_NAME.findall(situation.text))
        names = _NAME.findall(written)
        if names and written.endswith(names[-1]) and not situation.text[end : end + 1].strip(" \r\n\t"):
            names.pop()
        added += [name for name in dict.fromkeys(names) if now[name] > was[name] and name not in added]
    return added


def is_missing(bindings: Bindings, name: str) -> bool:
    """Whether a file reads a name that it defines nowhere, and that Python does not have."""
    if len(name) < MIN_LETTERS or hasattr(builtins, name) or name.startswith("_"):
        return False
    nodes = bindings.nodes_named(name)
    is_read = bool(nodes) and all(isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) for node in nodes)
    return is_read and not any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in bindings.nodes
    )


def needed_import(view: IndexView, path: str, name: str) -> Needed | None:
    """Return the import that brings a name to a file; None unless one module of the workspace defines it, once."""
    places = view.definitions.get(name, ())
    top = {place for place, definition in places if not definition.container and view.files[place].language == "python"}
    if len(top) != 1 or len(places) != 1:
        return None
    (home,) = top
    if home == path or not home.endswith(".py") or _is_test(home):
        return None
    module = _module_of(home)
    if not module or resolve(view.files, path, "python", module)[:1] != (home,):
        return None
    return Needed(module, name)


def import_edit(path: str, text: str, needed: Sequence[Needed]) -> NextEdit | None:
    """Return the edit that adds imports at their sorted places; whole lines of it."""
    after = with_imports(text, needed)
    change = difference(text, after, 0.0)
    if not change.inserted:
        return None
    start = text.rfind("\n", 0, change.start) + 1
    last = change.start + len(change.removed)
    if change.start != start or not change.inserted.endswith("\n"):
        end = text.find("\n", last)
        end = len(text) if end < 0 else end
    else:
        end = last
    new_text = after[start : end + len(change.inserted) - len(change.removed)]
    title = " and ".join(f"Import {name.name} from {name.path}" for name in needed)
    return NextEdit(path, text, Span(start, end), new_text, "import", "computed", title)


def _is_test(path: str) -> bool:
    return any(part.startswith("test") for part in path.split("/")) or path.endswith("_test.py")


def _module_of(path: str) -> str:
    for root in _ROOTS:
        path = path.removeprefix(root)
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""
