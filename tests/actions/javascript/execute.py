"""Prove edits by execution: node runs programs before and after an edit, and the output must be the same."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tree_sitter import Node

from spark_lsp.actions.javascript.piece import EXPRESSIONS
from spark_lsp.text.edit import Span
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import Syntax, parse

HERE = Path(__file__).parent
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
PROGRAMS = {path.name: path.read_text("utf-8") for path in sorted((HERE / "programs").glob("*.js"))}
_BLOCKS = {"statement_block", "program", "switch_case", "switch_default"}


def outcomes(programs: Sequence[str]) -> list[list[str]]:
    """Return what each program logs, as node runs them one after another."""
    assert NODE is not None
    answer = subprocess.run(
        [NODE, str(HERE / "run.js")],
        input="\n".join(json.dumps(program) for program in programs),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=150,
        check=True,
    )
    return [json.loads(line) for line in answer.stdout.split("\n") if line]


def parsed(text: str, language: str = "javascript") -> Syntax:
    """Return the syntax of a program."""
    syntax = parse(LANGUAGES[language], text)
    assert syntax is not None
    return syntax


def statement_selections(syntax: Syntax) -> Iterator[Span]:
    """Yield every sequence of statements of every block."""
    for node in nodes_of(syntax.tree.root_node):
        if node.type in _BLOCKS:
            value = node.child_by_field_name("value") if node.type == "switch_case" else None
            children = [child for child in node.named_children if value is None or child.id != value.id]
            for first in range(len(children)):
                for last in range(first, len(children)):
                    yield Span(syntax.wrap(children[first]).span.start, syntax.wrap(children[last]).span.end)


def expression_selections(syntax: Syntax) -> Iterator[Span]:
    """Every expression."""
    for node in nodes_of(syntax.tree.root_node):
        if node.type in EXPRESSIONS:
            yield syntax.wrap(node).span


def nodes_of(root: Node) -> Iterator[Node]:
    """Every named node."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(node.named_children)
