"""Checks that every proposed edit must pass before it is shown. Pure.

An edit that makes a text parse worse than before is never shown.
"""

import ast
from collections.abc import Iterable

from spark_lsp.text.edit import Edit, apply_edits
from spark_lsp.text.syntax import Syntax, parse


def failure(text: str, syntax: Syntax | None, edits: Iterable[Edit]) -> str:
    """Return in one sentence why the edits may not be applied; empty when they may."""
    try:
        after_text = apply_edits(text, edits)
    except ValueError as error:
        return f"The edit does not fit the document: {error}."
    if after_text == text:
        return "The edit changes nothing."
    if syntax is None:
        return ""
    after = parse(syntax.language, after_text)
    if after is None or after.error_count > syntax.error_count:
        return "The model's text would add a syntax error."
    if syntax.language.name == "python" and _compiles(text) and not _compiles(after_text):
        return "The model's text would no longer compile."
    return ""


def _compiles(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
