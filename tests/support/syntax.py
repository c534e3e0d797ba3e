"""Syntax trees for tests."""

from spark_lsp.text.language import Language
from spark_lsp.text.syntax import Syntax, parse


def parsed(language: Language | None, text: str) -> Syntax:
    """Parse a text that is known to have a grammar and a fair length."""
    syntax = parse(language, text)
    assert syntax is not None
    return syntax
