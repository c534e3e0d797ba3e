"""Convert the examples of a docstring to assertions: their author wrote the expected output, not a model. Pure.

Uses only examples whose output is a plain value or a named error.
"""

import ast
import doctest
import re
from typing import Final

from spark_lsp.actions.checks.functions import Function, called_name

MAX_EXAMPLES: Final = 8
_ERROR = re.compile(r"^(\w*(?:Error|Exception))\b", re.MULTILINE)


def assertions_of(function: Function) -> list[str]:
    """Return the statements of a test for a function's examples; none if no example is usable."""
    docstring = ast.get_docstring(function) or ""
    try:
        examples = doctest.DocTestParser().get_examples(docstring)
    except ValueError:
        return []
    statements: list[str] = []
    count = 0
    for example in examples:
        source = example.source.strip()
        tree = _parsed(source)
        if tree is None or len(tree.body) != 1 or example.options:
            return statements if count else []
        assertion = _assertion(tree.body[0], source, example)
        if assertion is None:
            return statements if count else []
        is_import = isinstance(tree.body[0], ast.Import | ast.ImportFrom)
        if not (is_import and function.name in source):
            statements += assertion
        calls = {called_name(node) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        count += function.name in calls and assertion != [source]
        if count == MAX_EXAMPLES:
            break
    return statements if count else []


def _assertion(node: ast.stmt, source: str, example: doctest.Example) -> list[str] | None:
    """Return an example as statements, None if it cannot be an assertion."""
    if example.exc_msg is not None:
        error = _ERROR.match(example.exc_msg)
        indented = source.replace("\n", "\n    ")
        return [f"with pytest.raises({error[1]}):", f"    {indented}"] if error else None
    if not isinstance(node, ast.Expr):
        takes_all = isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
        return None if example.want or takes_all else [source]
    if not example.want:
        return [source]
    want = example.want.strip()
    try:
        value = ast.literal_eval(want)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    joined = " ".join(line.strip() for line in source.split("\n"))
    if isinstance(value, bool) or value is None:
        return [f"assert {joined} is {value}" if _is_simple(node.value) else f"assert ({joined}) is {value}"]
    flat = " ".join(line.strip() for line in want.split("\n"))
    return [f"assert {joined} == {flat}" if _is_simple(node.value) else f"assert ({joined}) == {flat}"]


def _is_simple(node: ast.expr) -> bool:
    return isinstance(node, ast.Call | ast.Name | ast.Attribute | ast.Subscript)


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None
