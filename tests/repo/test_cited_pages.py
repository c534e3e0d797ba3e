"""Comments and docstrings cite only pages that the repository has, and nothing that only its authors know."""

import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.repo.source import ROOT, report

PAGE = re.compile(r"(?<![\w/.-])((?:[\w-]+/)*[\w.-]+\.md)\b")
PRIVATE = re.compile(r"\bissue \d+|\bdesign/\w+|/work/\w+|\bsections? \d+(?:\.\d+)* of the design")
FOLDERS = ("spark_lsp", "models", "scripts", "tests")


@cache
def _comments() -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{path.relative_to(ROOT)}:{number}", text)
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != Path(__file__) and "fixtures" not in path.parts
        for number, text in comments(path.read_text("utf-8"))
    )


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield comments and strings that are a statement of their own, with their line."""
    begins_line = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and begins_line):
            yield token.start[0], token.string
        if token.type in {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}:
            begins_line = True
        elif token.type not in {tokenize.NL, tokenize.COMMENT}:
            begins_line = False


def cited(text: str) -> Iterator[str]:
    """Yield the pages of this repository that a comment names by their path."""
    yield from (name for name in PAGE.findall(text) if name.startswith(("docs/", "models/", "samples/", "design/")))


def test_cited_pages_are_there() -> None:
    report(
        [
            f"{place}: cites {name}, which is not there"
            for place, text in _comments()
            for name in cited(text)
            if not (ROOT / name).is_file()
        ]
    )


def test_comments_cite_nothing_private() -> None:
    report(
        [
            f"{place}: {match[0]!r} is known to its authors only"
            for place, text in _comments()
            for match in PRIVATE.finditer(text)
        ]
    )


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('"""See docs/gone.md."""\n', ["docs/gone.md"]),
        ("A = 1  # docs/evaluation.md, 3\n", ["docs/evaluation.md"]),
        ('A = 1\n"""(design/engine.md section 2)"""\n', ["design/engine.md"]),
        ('page = "docs/made_later.md"\n', []),
        ('"""Writes a README.md."""\n', []),
    ],
)
def test_comments_and_docstrings_are_read_and_other_strings_are_not(source: str, names: list[str]) -> None:
    assert [name for _, text in comments(source) for name in cited(text)] == names
