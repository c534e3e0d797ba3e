"""Find the standard library module that usually provides a name, in a table made from the running interpreter.

Never imports a module: public names, and how often the standard library imports each name, are read from its sources.
Of compiled modules, only loaded ones count. The table is built once, in half a second.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

MAX_SOURCE_BYTES: Final = 400_000
_SKIPPED: Final = frozenset(("antigravity", "this", "idlelib", "lib2to3", "test", "turtledemo", "turtle", "tkinter"))
"""Modules with side effects on import, and programs; ``os.path`` is a part of ``os``."""
_SUBMODULES: Final = ("collections.abc", "concurrent.futures", "importlib.metadata", "unittest.mock", "urllib.parse")
_ALL = re.compile(r"^__all__\s*(?::[^=\n]+)?=\s*(\[[^\]]*\]|\([^)]*\))", re.MULTILINE)
_DEFINED = re.compile(r"^(?:async def|def|class)\s+([A-Za-z]\w*)", re.MULTILINE)
_FROM = re.compile(r"^[ \t]*from\s+([A-Za-z][\w.]*)\s+import\s+(\([^)]*\)|[^\n(]+)", re.MULTILINE)
_WORD = re.compile(r"([A-Za-z_]\w*)(?:\s+as\s+\w+)?")


def module_of(name: str) -> str:
    """Return the module that a name is imported from; empty if none or several are possible."""
    modules = _table().get(name, ())
    if len(modules) < 2:
        return modules[0] if modules else ""
    votes = {module: _votes()[module, name] for module in modules}
    first, second, *_ = sorted(votes.values(), reverse=True)
    return max(votes, key=lambda module: votes[module]) if first > 2 * second else ""


def is_module(name: str) -> bool:
    """Whether a name is that of a standard library module."""
    return name in sys.stdlib_module_names and not name.startswith("_") and name not in _SKIPPED


@cache
def _table() -> dict[str, tuple[str, ...]]:
    modules: dict[str, list[str]] = {}
    for module in sorted(filter(is_module, sys.stdlib_module_names)) + list(_SUBMODULES):
        for name in public_names(module, source_of_module):
            modules.setdefault(name, []).append(module)
    return {name: tuple(modules) for name, modules in modules.items()}


@cache
def _votes() -> Counter[tuple[str, str]]:
    """Count how often the standard library imports a name from a module."""
    votes: Counter[tuple[str, str]] = Counter()
    for module in sorted(sys.stdlib_module_names - _SKIPPED):
        for match in _FROM.finditer(source_of_module(module)):
            votes.update((match[1], name) for name in _WORD.findall(match[2].split("#")[0].strip("()")))
    return votes


def public_names(module: str, source_of: Callable[[str], str]) -> list[str]:
    """Return the public names of a module: its ``__all__``, or what it defines at its top level."""
    source = source_of(module)
    if not source:
        return _of_compiled(module)
    if "__all__" not in source:
        return [name for name in _DEFINED.findall(source) if not name.startswith("_")]
    listed = _ALL.search(source)
    try:
        names = ast.literal_eval(listed[1]) if listed else _computed_all(module, source, source_of)
    except (SyntaxError, ValueError):  # computed from other lists, as pathlib's of Python 3.13
        names = _computed_all(module, source, source_of)
    return [name for name in names if isinstance(name, str) and not name.startswith("_")]


def _computed_all(module: str, source: str, source_of: Callable[[str], str]) -> list[str]:
    """Return the names of an ``__all__`` that concatenates lists of the module and its submodules."""

    def names_of(value: ast.expr) -> list[str]:
        match value:
            case ast.List(parts) | ast.Tuple(parts):
                return [name for part in parts for name in names_of(part)]
            case ast.Constant(str(name)):
                return [name]
            case ast.Starred(inner):
                return names_of(inner)
            case ast.BinOp(left, ast.Add(), right):
                return [*names_of(left), *names_of(right)]
            case ast.Attribute(ast.Name(submodule), "__all__"):
                return public_names(f"{module}.{submodule}", source_of)
        return []

    for node in ast.parse(source).body:
        match node:
            case ast.Assign([ast.Name("__all__")], value):
                return names_of(value)
    return [name for name in _DEFINED.findall(source) if not name.startswith("_")]


def _of_compiled(module: str) -> list[str]:
    """Return the names of a module without source, like ``math``, if it is loaded; nothing is imported."""
    held = sys.modules.get(module)
    has_source = str(getattr(held, "__file__", None) or "").endswith(".py")
    return [name for name in dir(held) if not name.startswith("_")] if held is not None and not has_source else []


def source_of_module(module: str) -> str:
    """Return the source of a module, empty if it is compiled or too long."""
    base = Path(re.__file__).parent.parent
    actual = "_collections_abc" if module == "collections.abc" else module
    parts = actual.split(".")
    for file in (base.joinpath(*parts).with_suffix(".py"), base.joinpath(*parts, "__init__.py")):
        if file.is_file() and file.stat().st_size <= MAX_SOURCE_BYTES:
            return file.read_text("utf-8", "replace")
    return ""
