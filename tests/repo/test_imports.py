"""What scripts, tests and the training import from the repository exists, found without running any of them.

``mypy`` checks the package and the scripts. Elsewhere a missing name would show
only where they run.
"""

import ast
from collections.abc import Iterator
from functools import cache

from tests.repo.source import PACKAGE, Module, modules, report

READERS = ("scripts", "tests", "models/training")
OWN = ("spark_lsp", "scripts", "tests")
"""Folders whose modules can be imported from the repository's root."""


@cache
def _by_name() -> dict[str, Module]:
    return {module.name: module for folder in OWN for module in modules(folder)}


def _top_names(tree: ast.Module) -> Iterator[str]:
    """Yield every name that a module binds."""
    for node in _statements(tree.body):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
            case _:
                yield from (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run when a module is imported, those in ``if``, ``try`` and ``with`` too."""
    for statement in body:
        yield statement
        for field in ("body", "orelse", "finalbody"):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _statements(getattr(statement, field, []))
        for handler in getattr(statement, "handlers", []):
            yield from _statements(handler.body)


@cache
def _names_of(module: Module) -> frozenset[str]:
    return frozenset(_top_names(module.tree))


def missing_names(reader: Module, by_name: dict[str, Module]) -> list[str]:
    """Return an error for each name that a module imports from the repository and that is not there."""
    faults = []
    for node in (node for node in ast.walk(reader.tree) if isinstance(node, ast.Import | ast.ImportFrom)):
        if isinstance(node, ast.Import):
            wanted = [(alias.name, "") for alias in node.names]
        else:
            wanted = [(node.module or "", alias.name) for alias in node.names if not node.level]
        for module, name in wanted:
            if module.split(".")[0] not in OWN or f"{module}.{name}" in by_name:
                continue
            source = by_name.get(module)
            is_folder = any(known.startswith(f"{module}.") for known in by_name)
            if source is None and not (is_folder and not name):
                faults.append(f"{reader.place}:{node.lineno}: there is no module {module}")
            elif source is not None and name and name not in _names_of(source):
                faults.append(f"{reader.place}:{node.lineno}: {module} has no {name}")
    return faults


def test_scripts_and_tests_import_names_that_exist() -> None:
    readers = [module for folder in READERS for module in modules(folder)]
    assert sum(f"from {PACKAGE}" in module.text for module in readers) > 200
    report([fault for module in readers for fault in missing_names(module, _by_name())])


def test_a_name_that_is_gone_is_reported() -> None:
    source = Module("a.py", "scripts.a", "", ast.parse("try:\n    import json as j\nexcept ImportError:\n    k = 1\n"))
    text = "from scripts.a import j, k\nfrom scripts.a import gone\nimport scripts.b\n"
    reader = Module("b.py", "tests.b", text, ast.parse(text))
    assert missing_names(reader, {"scripts.a": source}) == [
        "b.py:2: scripts.a has no gone",
        "b.py:3: there is no module scripts.b",
    ]
