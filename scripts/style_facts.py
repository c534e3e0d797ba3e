"""Count properties of a Python module's style, for docs/internals/style.md.

usage: python -m scripts.style_facts [--seed N] [--peer NAME=FOLDER ...] [--write]

Without peers it takes three random modules of each area of the package; a peer is another project's folder, of which
three random modules are taken. Modules under twenty lines and tests are left out.
``--write`` puts the table in the place of the one on the page.
"""

import argparse
import ast
import io
import random
import re
import statistics
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AREAS = ("server", "completion", "actions", "prompt", "index", "engine", "llama", "catalog", "text", "cli", "doctor")
MODULES, MIN_LINES = 3, 20
PAGE = ROOT / "docs" / "internals" / "style.md"
_SENTENCE = re.compile(r"[.!?](?:\s|$)")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Facts:
    """The numbers of one module."""

    name: str
    lines: int
    functions: int
    median_lines: int
    longest_lines: int
    documented: int
    """Percent of the public functions and classes with a docstring."""
    annotated: int
    """Percent of the functions whose arguments and result all have a type."""
    words: int
    """Average words of a sentence in docstrings and comments."""
    comments: int
    """Comment lines per hundred lines of code."""


def facts_of(path: Path, name: str) -> Facts:
    """Return the numbers of a module."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, _Function)]
    lengths = [(node.end_lineno or node.lineno) - node.lineno + 1 for node in functions]
    public = [
        node
        for node in ast.walk(tree)
        if isinstance(node, _Function | ast.ClassDef) and not node.name.startswith("_") and node not in _inner(tree)
    ]
    prose = [ast.get_docstring(node) or "" for node in [tree, *functions, *_classes(tree)]]
    comments = [token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if _is_comment(token)]
    sentences = [
        part.split() for piece in [*prose, *comments] for part in _SENTENCE.split(piece) if len(part.split()) > 2
    ]
    return Facts(
        name,
        text.count("\n"),
        len(functions),
        round(statistics.median(lengths)) if lengths else 0,
        max(lengths, default=0),
        _percent(sum(ast.get_docstring(node) is not None for node in public), len(public)),
        _percent(sum(_is_annotated(node) for node in functions), len(functions)),
        round(statistics.mean(map(len, sentences))) if sentences else 0,
        _percent(len(comments), text.count("\n")),
    )


def table(rows: Sequence[tuple[str, Facts]]) -> str:
    """Return the table of the page."""
    columns = (
        "area", "module", "lines", "functions", "lines of a function: median, longest", "documented", "annotated",
        "words a sentence", "comments",
    )  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|---|---|---|---|---|---|---|---|---|"]
    for area, facts in rows:
        lines.append(
            f"| {area} | `{facts.name}` | {facts.lines} | {facts.functions} "
            f"| {facts.median_lines}, {facts.longest_lines} | {facts.documented} % | {facts.annotated} % "
            f"| {facts.words} | {facts.comments} % |"
        )
    return "\n".join(lines)


def chosen(folder: Path, seed: int) -> list[Path]:
    """Return three random modules of a folder, the same for a seed."""
    paths = [
        path
        for path in sorted(folder.rglob("*.py"))
        if "_tests" not in path.parts and "tests" not in path.parts and path.read_text("utf-8").count("\n") >= MIN_LINES
    ]
    chance = random.Random(f"{seed}{folder.name}")  # noqa: S311  no secret
    return sorted(chance.sample(paths, min(MODULES, len(paths))))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--write", action="store_true", help="replace the table of docs/internals/style.md")
    options = parser.parse_args(arguments)
    rows = [
        (area, facts_of(path, path.relative_to(ROOT / "spark_lsp").as_posix()))
        for area in AREAS
        for path in chosen(ROOT / "spark_lsp" / area, options.seed)
    ]
    for peer in options.peer:
        name, _, folder = peer.partition("=")
        rows += [
            (name, facts_of(path, path.relative_to(folder).as_posix())) for path in chosen(Path(folder), options.seed)
        ]
    if options.write:
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), table(rows)), "utf-8")
    else:
        sys.stdout.write(table(rows) + "\n")
    return 0


def with_table(page: str, new_table: str) -> str:
    """Return the page with its first table replaced."""
    return re.sub(r"(?:^\|[^\n]*\n)+", lambda _: new_table.strip() + "\n", page, count=1, flags=re.MULTILINE)


def _inner(tree: ast.Module) -> set[ast.AST]:
    """Return what is defined inside functions."""
    return {
        inner for node in ast.walk(tree) if isinstance(node, _Function) for inner in ast.walk(node) if inner is not node
    }


def _classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def _is_comment(token: tokenize.TokenInfo) -> bool:
    return token.type == tokenize.COMMENT and not re.match(r"#\s*(?:noqa|type:|fmt:|pragma|mypy:)", token.string)


def _is_annotated(node: _Function) -> bool:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    named = [argument for argument in arguments if argument.arg not in {"self", "cls"}]
    return node.returns is not None and all(argument.annotation is not None for argument in named)


def _percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 100


if __name__ == "__main__":
    sys.exit(main())
