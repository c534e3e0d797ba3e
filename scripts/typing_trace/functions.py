"""Choose the function bodies of a package to type, and the keys that type them. Pure."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tree_sitter

from spark_lsp.text.language import LANGUAGES, Language
from spark_lsp.text.syntax import parse

MIN_LINES: Final = 2
MAX_LINES: Final = 8
MAX_CHARACTERS: Final = 200
_FUNCTIONS: Final = frozenset(
    ("function_declaration", "function_item", "method_declaration", "method_definition", "constructor_declaration")
)
"""What grammars with braces call a function that has a body."""
_TEST: Final = re.compile(r"(^|/)(tests?|testing|testdata|examples?|__tests__)/|(_test|\.test|\.spec|Test)\.|/test_")


@dataclass(frozen=True, slots=True)
class Function:
    """A function body to type: the file's text before and after it."""

    path: Path
    before: str
    body: str
    after: str
    language: str = "python"


def functions_of(root: Path, wanted: int, language: str = "python", *, skip: int = 0) -> list[Function]:
    """Choose functions from the package's files in turn, the same ones each time; tests are not typed."""
    row = LANGUAGES[language]
    read = _READERS.get(language, _braced)
    files = [path for ending in row.extensions for path in root.rglob(f"*{ending}")]
    by_file = [list(read(path, row)) for path in sorted(files) if not _TEST.search(path.relative_to(root).as_posix())]
    turns = [functions[turn] for turn in range(wanted + skip) for functions in by_file if turn < len(functions)]
    return turns[skip : skip + wanted]


def _python(path: Path, _language: Language) -> Iterator[Function]:
    source = path.read_text("utf-8")
    lines = source.splitlines(keepends=True)
    try:
        tree = ast.parse(source)
    except SyntaxError:  # of a newer Python
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef) or node.end_lineno is None:
            continue
        body = node.body[1:] if ast.get_docstring(node) else node.body
        if body and body[0].lineno > node.lineno:
            yield from _function(path, lines, body[0].lineno - 1, node.end_lineno, "python")


def _braced(path: Path, language: Language) -> Iterator[Function]:
    """Yield the functions of a file whose braces stand alone on the first and the last line of a body."""
    source = path.read_text("utf-8", errors="replace")
    syntax = parse(language, source)
    if syntax is None or not source.isascii():
        return
    lines = source.splitlines(keepends=True)
    for node in _nodes(syntax.tree.root_node):
        body = node.child_by_field_name("body") if node.type in _FUNCTIONS else None
        if body is None or not body.named_children:
            continue
        start, end = body.start_point.row + 1, body.end_point.row
        is_alone = (
            lines[end][: body.end_point.column].strip() == "}" and body.named_children[0].start_point.row >= start
        )
        if is_alone:
            yield from _function(path, lines, start, end, language.name)


def _nodes(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.named_children))


def _function(path: Path, lines: list[str], start: int, end: int, language: str) -> Iterator[Function]:
    """Yield the lines of a body as a function, unless they are few, many or long."""
    text = "".join(lines[start:end])
    if not MIN_LINES <= end - start <= MAX_LINES or len(text) > MAX_CHARACTERS:
        return
    indent = len(text) - len(text.lstrip(" \t"))
    yield Function(
        path,
        "".join(lines[:start]) + text[:indent],
        text[indent:].rstrip(),
        "".join(lines[end - 1 :])[len(lines[end - 1].rstrip()) :],
        language,
    )


_READERS: Final[Mapping[str, Callable[[Path, Language], Iterator[Function]]]] = {"python": _python}


def keys_of(body: str) -> Iterator[str]:
    """Yield the text of each key; a new line brings its indentation, as in any editor."""
    at = 0
    while at < len(body):
        end = at + 1
        while body[at] == "\n" and end < len(body) and body[end] in " \t\n":
            end += 1
        yield body[at:end]
        at = end
