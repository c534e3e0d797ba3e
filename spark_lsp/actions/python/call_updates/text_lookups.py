"""Decide whether a function may be reached by the text of its name, without a visible call.

Reads the files with such lookups, so it must run on a worker thread.
"""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Final

from spark_lsp.actions.python.analysis.class_introspection import Relatives
from spark_lsp.actions.python.analysis.classes import files_mentioning
from spark_lsp.actions.python.analysis.module_aliases import KnownModule
from spark_lsp.actions.python.analysis.source import Source, source_of
from spark_lsp.actions.python.call_updates.dynamic_lookups import MAY_ASK, asked_for
from spark_lsp.actions.python.call_updates.find_calls import Wanted
from spark_lsp.actions.refusal import Refusal
from spark_lsp.index.parse.imports import resolve
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse

_WORDS: Final = ("__dict__", "attrgetter", "getattr", "globals", "locals", "methodcaller", "vars")
_Home = Callable[[str, Source], Callable[[ast.expr | None], bool]]
"""Returns, for a file, a function that tells whether an object of it may have the function."""


def looked_up_in(view: IndexView, wanted: Wanted) -> Refusal | None:
    """Say in one sentence where a function, or the class of an ``__init__``, may be looked up by text."""
    is_made = wanted.owner is not None and wanted.function.name == "__init__"
    name = wanted.owner.name if wanted.owner is not None and is_made else wanted.function.name
    home = _of_module(wanted, view) if wanted.owner is None or is_made else _of_class(wanted, wanted.owner, view)
    for path, source in _asking(view, wanted, name):
        issue = asked_for(source, {name}, home(path, source))
        if issue is not None:
            return Refusal("reflection", f"{path}:{issue.line}: {issue.message}.")
    return None


def _asking(view: IndexView, wanted: Wanted, name: str) -> Iterator[tuple[str, Source]]:
    """Yield the files that may look up the name by its text."""
    yield wanted.path, wanted.source
    by_text = re.compile(rf"[\"'](?:[\w.]*\.)?{re.escape(name)}[\"']")
    for path in sorted(frozenset[str]().union(*(files_mentioning(view, word) for word in _WORDS)) - {wanted.path}):
        text = view.files[path].text
        if not MAY_ASK.search(text) and not by_text.search(text):
            continue
        syntax = parse(LANGUAGES["python"], text)
        source = source_of(syntax) if syntax is not None else None
        if source is not None:
            yield path, source


def _of_module(wanted: Wanted, view: IndexView) -> _Home:
    def home(path: str, source: Source) -> Callable[[ast.expr | None], bool]:
        known = KnownModule(source, path, wanted.path, cache(partial(resolve, view.files, path, "python")))
        return lambda node: path == wanted.path if node is None else known.is_it(node)

    return home


def _of_class(wanted: Wanted, owner: ast.ClassDef, view: IndexView) -> _Home:
    relatives = Relatives.of(wanted.source, wanted.path, owner, view)

    def home(path: str, source: Source) -> Callable[[ast.expr | None], bool]:
        known = relatives.known(path, source)
        return lambda node: node is not None and (known.is_class(node) or known.is_object(node))

    return home
