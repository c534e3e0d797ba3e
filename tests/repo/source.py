"""The project's own files, read once: what the tests of this folder look at."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = "spark_lsp"


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file: ``place`` is its path in the repository, ``name`` its dotted name."""

    place: str
    name: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """First part of the name under the package, such as ``engine``; the package itself is ``spark_lsp``."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else PACKAGE


@cache
def modules(folder: str = PACKAGE) -> tuple[Module, ...]:
    """Read every Python file under a folder of the repository."""
    return tuple(_read(path) for path in sorted((ROOT / folder).rglob("*.py")) if "node_modules" not in path.parts)


def _read(path: Path) -> Module:
    place = path.relative_to(ROOT).as_posix()
    text = path.read_text("utf-8")
    name = place.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    return Module(place, name, text, ast.parse(text, place))


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """Yield dotted names that a module imports, wherever it does so, with their lines.

    ``from a.b import c`` yields ``a.b.c``; whether c is a module is the reader's question.
    """
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.name.split(".")
                if not module.place.endswith("__init__.py"):
                    package = package[:-1]
                package = package[: len(package) - node.level + 1]
                base = ".".join([*package, base] if base else package)
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def report(faults: list[str]) -> None:
    """Fail with one fault a line; a fault starts with ``path:line:``."""
    assert not faults, "\n" + "\n".join(faults)
