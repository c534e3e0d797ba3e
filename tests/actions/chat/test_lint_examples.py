"""The examples of lint rules: what ruff and eslint report in both texts."""

import ast
import os
import textwrap
from pathlib import Path

import pytest

from scripts.judge_actions.linters import ruff_codes
from scripts.judge_actions.node_tools import NodeFolder, NodePackage
from scripts.judge_actions.script_tasks import LINT_RULES
from spark_lsp.actions.chat.lint_examples import BEGINS_OTHERWISE, EXAMPLES, SCRIPT_EXAMPLES, Example
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse

HEAD = """\
import warnings
from typing import List, Optional, Union

def example(text: str, path: str, a, b, boxes: list[str], unit):
    names: list[str] = []
    sizes: dict[str, int] = {}
    known: set[str] = set()
    with open(path) as file:
        use(names, sizes, known, file)
"""
IN_A_METHOD = "class Box(Case):\n    def close(self):\n"
PLAIN_HEAD = "def example(boxes, pairs):\n"
MAKE_IT_THEMSELVES = {"PERF401": "names", "PERF402": "names", "PERF403": "sizes"}
"""Rules about lists that the function itself creates, with the name of the list in their examples."""


def _whole(code: str, text: str) -> str:
    """Put an example into the code that its rule examines."""
    if code == "UP008":
        return IN_A_METHOD + textwrap.indent(text, "        ") + "\n"
    if text.startswith(("def ", "class ")):
        return text + "\n"
    if code in MAKE_IT_THEMSELVES:
        return PLAIN_HEAD + textwrap.indent(text, "    ") + f"\n    return {MAKE_IT_THEMSELVES[code]}\n"
    return HEAD + textwrap.indent(text, "    ") + "\n    use(a)\n"


@pytest.mark.parametrize(("code", "example"), EXAMPLES.items(), ids=EXAMPLES)
def test_ruff_finds_it_before_and_not_after(code: str, example: Example) -> None:
    before, after = (ruff_codes(_whole(code, text), code) for text in (example.before, example.after))
    assert before.count(code) >= 1
    assert after == []


@pytest.mark.parametrize(("code", "example"), EXAMPLES.items(), ids=EXAMPLES)
def test_both_texts_parse(code: str, example: Example) -> None:
    ast.parse(_whole(code, example.before))
    ast.parse(_whole(code, example.after))


@pytest.mark.parametrize("name", SCRIPT_EXAMPLES)
def test_both_texts_of_a_script_parse(name: str) -> None:
    example = SCRIPT_EXAMPLES[name]
    for text in (example.before, example.after):
        syntax = parse(LANGUAGES["typescript"], text)
        assert syntax is not None
        assert syntax.error_count == 0


def test_eslint_finds_it_before_and_not_after(tmp_path: Path) -> None:
    """Needs the folder that ``python -m scripts.judge_actions run --typescript`` installs to."""
    folder = os.environ.get("SPARK_NODE_MODULES", "")
    if not folder:
        pytest.skip("SPARK_NODE_MODULES names no folder with eslint")
    rules = {rule.rpartition("/")[2]: (rule, options) for rule, options in LINT_RULES.items()}
    rules["dot-notation"] = ("dot-notation", "error")
    place = NodeFolder(NodePackage("examples", "1", ".", "."), tmp_path, Path(folder))
    reported = []
    for side in ("before", "after"):
        texts: dict[str, str | None] = {
            f"{name}.ts": getattr(example, side) for name, example in SCRIPT_EXAMPLES.items()
        }
        findings = place.lint(texts, sorted(texts), dict(rules.values()))
        reported.append(
            {finding.path.removesuffix(".ts") for finding in findings if rules[finding.path[:-3]][0] == finding.code}
        )
    assert reported == [SCRIPT_EXAMPLES.keys(), set()]


def test_rules_that_begin_otherwise_have_an_example() -> None:
    assert EXAMPLES.keys() >= BEGINS_OTHERWISE
    assert all(EXAMPLES[code].is_one_statement for code in BEGINS_OTHERWISE)
