"""Which parts of a docstring are kept."""

import ast

import pytest

from spark_lsp.actions.checks.docstring import facts_of, usable

CODE = (
    "def load_money(text, default=None):\n    if not text:\n"
    "        raise ValueError(text)\n    return Money.parse(text)\n"
)
KEPT = {
    "a sentence": (["Load money from a text."], ["Load money from a text."]),
    "two sentences": (
        ["Load money from a text. It may be empty."],
        ["Load money from a text.", "", "It may be empty."],
    ),
    "over two lines": (["Load money from", "a text."], ["Load money from a text."]),
    "parameters": (
        ["Load money.", ":param text: What is read.", ":param amount: How much.", ":return: The money."],
        ["Load money.", "", ":param text: What is read.", ":return: The money."],
    ),
    "errors": (
        ["Load money.", ":raises ValueError: There is none.", ":raises TypeError: It is no text."],
        ["Load money.", "", ":raises ValueError: There is none."],
    ),
    "sections": (
        ["Load money.", "", "Args:", "text: What is read.", "amount: How much.", "", "Raises:", "KeyError: Never."],
        ["Load money.", "", "Args:", "    text: What is read."],
    ),
    "examples": (["Load money.", "", ">>> load_money('1')", "1"], ["Load money."]),
    "an example by its heading": (["Load money.", "", "Examples:", ">>> 1"], ["Load money."]),
    "about something else": (["Create a transliterated version of the word."], []),
}


@pytest.mark.parametrize(("lines", "kept"), KEPT.values(), ids=KEPT)
def test_kept(lines: list[str], kept: list[str]) -> None:
    (function,) = ast.parse(CODE).body
    assert isinstance(function, ast.FunctionDef)
    assert usable(lines, facts_of(function, CODE)) == kept


def test_a_file_without_sections_gets_none() -> None:
    (function,) = ast.parse(CODE).body
    assert isinstance(function, ast.FunctionDef)
    text = CODE + '\n\ndef f():\n    """Do it."""\n\n\ndef g():\n    """Do it too."""\n'
    lines = ["Load money.", ":param text: What is read."]
    assert usable(lines, facts_of(function, text)) == ["Load money."]
