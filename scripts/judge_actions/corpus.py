"""Collect material for tasks: a published package, its modules, and the functions that its own tests run."""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.prove_actions.packages import Package, Reached, modules, reached, unpacked
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import LineTable

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Corpus:
    """A package whose unchanged tests pass."""

    package: Package
    root: Path
    texts: Mapping[str, str]
    run: Reached
    tests: Mapping[str, str]
    """The texts of its test files, by path."""


@dataclass(frozen=True, slots=True)
class Place:
    """A function of a module that tests run. ``owner`` is its class, None for a function of the module."""

    path: str
    name: str
    function: Function
    owner: ast.ClassDef | None
    text: str

    @property
    def full_name(self) -> str:
        """The name with its class."""
        return f"{self.owner.name}.{self.name}" if self.owner else self.name

    def offset(self, node: ast.AST) -> int:
        """Return the offset of a node's start."""
        return span_of(self.text, node).start


def corpus_of(package: Package, folder: Path) -> Corpus | None:
    """Return a package, fetched if necessary, whose unchanged tests pass; None if they fail."""
    root = unpacked(package, folder)
    if root is None:
        return None
    kept = folder / f"{root.name}.reached.json"
    if not kept.exists():
        run = reached(package, root)
        kept.write_text(json.dumps(run if isinstance(run, str) else sorted(run)), "utf-8")
    rows = json.loads(kept.read_text("utf-8"))
    if isinstance(rows, str):
        return None
    return Corpus(
        package, root, modules(package, root), frozenset((p, n, m) for p, n, m in rows), _tests(package, root)
    )


def _tests(package: Package, root: Path) -> dict[str, str]:
    tests = [root / test for test in package.tests]
    files = [file for test in tests for file in ([test] if test.is_file() else sorted(test.rglob("*.py")))]
    return {file.relative_to(root).as_posix(): file.read_text("utf-8") for file in files}


def places(corpus: Corpus) -> Iterator[Place]:
    """Yield the functions and methods that tests run, without nested functions."""
    for path, text in sorted(corpus.texts.items()):
        tree = ast.parse(text)
        owners: list[tuple[ast.ClassDef | None, ast.stmt]] = [(None, statement) for statement in tree.body]
        owners += [
            (statement, inner)
            for statement in tree.body
            if isinstance(statement, ast.ClassDef)
            for inner in statement.body
        ]
        for owner, node in owners:
            if isinstance(node, Function) and _is_run(corpus, path, node):
                yield Place(path, node.name, node, owner, text)


def _is_run(corpus: Corpus, path: str, node: Function) -> bool:
    lines = {node.lineno, *(decorator.lineno for decorator in node.decorator_list)}
    return any((path, line, node.name) in corpus.run for line in lines)


def span_of(text: str, node: ast.AST) -> Span:
    """Return the span of a node of a parsed text, without decorators."""
    lines = LineTable.of(text)
    end_line, end_column = getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0)
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    return Span(_at(text, lines, line, column), _at(text, lines, end_line, end_column))


def _at(text: str, lines: LineTable, line: int, column: int) -> int:
    start = lines.starts[line - 1]
    line_start = text[start : lines.ends[line - 1]].encode("utf-8")[:column].decode("utf-8", "replace")
    return start + len(line_start)


def has_docstring(function: Function) -> bool:
    """Whether a function begins with a docstring."""
    return ast.get_docstring(function) is not None


def body_of(function: Function) -> list[ast.stmt]:
    """Return a function's statements without its docstring."""
    return function.body[1:] if has_docstring(function) else function.body
