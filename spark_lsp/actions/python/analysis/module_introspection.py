"""Decide whether a new name would be visible to code that lists a module's names or star-imports them.

A workspace file lists them if it does so where it names the module (``known_module``). Modules that a file receives
from other files, and modules under a computed name, are not found.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache, partial
from typing import Final

from spark_lsp.actions.python.analysis.introspection import LISTERS, Seen, seen_in
from spark_lsp.actions.python.analysis.module_aliases import KnownModule
from spark_lsp.actions.python.analysis.source import MAX_CHARACTERS, Source
from spark_lsp.actions.refusal import TOO_DEEP
from spark_lsp.index.parse.imports import resolve
from spark_lsp.index.storage.view import IndexView
from spark_lsp.text.snapshot import LineTable

_STAR: Final = re.compile(r"^\s*from\s+([\w.]+)\s+import\s*\(?\s*\*", re.MULTILINE)
_IMPORTS: Final = re.compile(r"^[ \t]*(?:import|from)\b[^\n]*$", re.MULTILINE)
MAY_LIST: Final = re.compile(
    r"""\b(?:dir|vars)\s*\(\s*(?!self\s*\)|cls\s*\))[^)\s]
    |\bgetmembers\w*\s*\(
    |(?<!\bself)(?<!\bcls)\.__dict__\b""",
    re.VERBOSE,
)
"""Words in a file that may list the names of anything but a method's object."""


def seen_names(source: Source, path: str, view: IndexView, *, is_function: bool) -> Seen:
    """Return the code that would see a new function or variable of the module at ``path``."""
    try:
        return _seen(source, path, view, is_function=is_function)
    except RecursionError:
        return Seen(TOO_DEEP)


def _seen(source: Source, path: str, view: IndexView, *, is_function: bool) -> Seen:
    name = _stem(path)
    results = [Seen(public=not name or _is_taken_whole(path, name, view))]
    for reader, read in [(path, source), *_others(path, name, view)]:
        known = KnownModule(read, reader, path, cache(partial(resolve, view.files, reader, "python")))
        results.append(seen_in(reader, read, known.is_it, "module", is_own=reader == path, is_function=is_function))
    refusal = next((result.refusal for result in results if result.refusal), None)
    return Seen(refusal, any(result.public for result in results))


def _stem(path: str) -> str:
    """Return the last part of a module's name in imports; empty for a module at the root without a name."""
    *folders, file = path.removesuffix(".py").split("/")
    return file if file != "__init__" else (folders[-1] if folders else "")


def _is_taken_whole(path: str, name: str, view: IndexView) -> bool:
    """Whether another file imports all public names of the module."""
    for reader in view.referencing.get(name, {}):
        entry = view.files[reader]
        if entry.language != "python" or not any(
            not imported.names and imported.module.rpartition(".")[2] == name for imported in entry.symbols.imports
        ):
            continue
        if any(path in resolve(view.files, reader, "python", module) for module in _STAR.findall(entry.text)):
            return True
    return False


def _others(path: str, name: str, view: IndexView) -> Iterator[tuple[str, Source]]:
    """Yield other files that use the module beyond importing names from it, and that may list names."""
    by_text = re.compile(rf"[\"'][\w.]*\b{re.escape(name)}[\"']")
    uses = view.referencing.get(name, {})
    for reader in sorted({mentioning for word in LISTERS for mentioning in view.referencing.get(word, {})} - {path}):
        entry = view.files[reader]
        if entry.language != "python" or len(entry.text) > MAX_CHARACTERS:
            continue
        taken = sum(
            bool(imported.names) and imported.module.rpartition(".")[2] == name for imported in entry.symbols.imports
        )
        text = entry.text
        is_said = (uses.get(reader, 0) > taken and _is_a_value(text, name)) or by_text.search(text)
        if is_said and MAY_LIST.search(text):
            read = _read(text)
            if read is not None:
                yield reader, read


def _is_a_value(text: str, name: str) -> bool:
    """Whether a text uses a module's name other than to access a name of it, or renames it."""
    word = rf"\b{re.escape(name)}\b"
    if re.search(rf"^[ \t]*(?:import|from)\b[^\n]*{word}[^\n]*\bas\b", text, re.MULTILINE):
        return True
    return re.search(rf"{word}(?!\s*\.(?!\s*__dict__))", _IMPORTS.sub("", text)) is not None


def _read(text: str) -> Source | None:
    try:
        return Source(text, ast.parse(text), LineTable.of(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
