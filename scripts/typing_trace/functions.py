"""Choose the function bodies of a package to type, and the keys that type them. Pure."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIN_LINES: Final = 2
MAX_LINES: Final = 8
MAX_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Function:
    """A function body to type: the file's text before and after it."""

    path: Path
    before: str
    body: str
    after: str


def functions_of(root: Path, wanted: int) -> list[Function]:
    """Choose functions from the package's files in turn, the same ones each time."""
    by_file = [list(_functions(path)) for path in sorted(root.rglob("*.py"))]
    turns = [functions[turn] for turn in range(wanted) for functions in by_file if turn < len(functions)]
    return turns[:wanted]


def _functions(path: Path) -> Iterator[Function]:
    source = path.read_text("utf-8")
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef) or node.end_lineno is None:
            continue
        body = node.body[1:] if ast.get_docstring(node) else node.body
        if not body or body[0].lineno <= node.lineno:
            continue
        start, end = body[0].lineno - 1, node.end_lineno
        text = "".join(lines[start:end])
        if MIN_LINES <= end - start <= MAX_LINES and len(text) <= MAX_CHARACTERS:
            indent = len(text) - len(text.lstrip(" "))
            yield Function(
                path,
                "".join(lines[:start]) + text[:indent],
                text[indent:].rstrip(),
                "".join(lines[end - 1 :])[len(lines[end - 1].rstrip()) :],
            )


def keys_of(body: str) -> Iterator[str]:
    """Yield the text of each key; a new line brings its indentation, as in any editor."""
    at = 0
    while at < len(body):
        end = at + 1
        while body[at] == "\n" and end < len(body) and body[end] in " \n":
            end += 1
        yield body[at:end]
        at = end
