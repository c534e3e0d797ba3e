"""Small programs along the grammars of C, C++, Go, Java and Rust print the same after ``extract.variable`` anywhere.

A build takes a second or two, so only some edits of each program are built; ``SPARK_BUILD_ALL=1`` builds each.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from spark_lsp.actions.compiled.extract_variable import edits_of, expression_at, place_of
from spark_lsp.actions.compiled.rules import RULES
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import apply_edits
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse
from tests.actions.compiled.build import has_compiler, outcome

MAX_BUILDS = 2
_LANGUAGES = {"c": "c", "cpp": "cpp", "go": "go", "java": "java", "rs": "rust"}


@dataclass(frozen=True)
class Program:
    """A program of one file."""

    name: str
    language: str
    text: str


def programs() -> Iterator[Program]:
    """Return the programs of all files in the folder."""
    for path in sorted((Path(__file__).parent / "attack").glob("*.txt")):
        parts = re.split(r"^=== (.+)\n", path.read_text("utf-8"), flags=re.MULTILINE)
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            head, text = body.split("\n", 1)
            yield Program(name, _LANGUAGES[head.rpartition(".")[2]], text)


def edited(program: Program) -> list[str]:
    """Return the program after each edit."""
    syntax = parse(LANGUAGES[program.language], program.text)
    assert syntax is not None
    spans, stack = [], [syntax.tree.root_node]
    while stack:
        node = stack.pop()
        if node.type in RULES[program.language].expressions:
            spans.append(syntax.wrap(node).span)
        stack += reversed(node.named_children)
    nodes = (expression_at(syntax, span) for span in dict.fromkeys(spans))
    places = (place_of(syntax, node) for node in nodes if node is not None)
    return [
        apply_edits(program.text, edits_of(syntax, place, "extracted"))
        for place in places
        if not isinstance(place, Refusal)
    ]


PROGRAMS = tuple(programs())


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 50
    assert len({program.name for program in PROGRAMS}) == len(PROGRAMS)


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_no_edit_is_wrong(program: Program, tmp_path: Path) -> None:
    if not has_compiler(program.language):
        pytest.skip(f"no compiler for {program.language}")
    texts = edited(program)
    before = outcome(program.language, program.text, tmp_path)
    assert "does not build" not in before
    step = 1 if os.environ.get("SPARK_BUILD_ALL") else max(1, len(texts) // MAX_BUILDS)
    for text in texts[::step]:
        assert outcome(program.language, text, tmp_path) == before, text
