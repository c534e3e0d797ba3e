"""Measure how sure a model was of the expected values in its test, by its token probabilities. Pure.

A model that does not know a result writes a value anyway; the tokens of a guess are improbable. One guess makes
later ones look like a pattern, so everything after it is dropped.
"""

import ast
import math
import textwrap
from collections.abc import Sequence
from typing import Final

from spark_lsp.actions.checks.functions import called_name, parsed

MIN_SURE: Final = 0.6
"""The least probability of a whole expected value; guesses of small models stay below it (docs/evaluation.md)."""
TextProbability = tuple[str, float]
"""Text that arrived in one chunk, and the smallest token probability in it."""


def sure_part(pieces: Sequence[TextProbability], tested: str) -> str:
    """Return the beginning of a test's body up to the first assertion whose expected value is a guess."""
    raw = "".join(text for text, _ in pieces)
    lines = raw.split("\n")
    tree = _longest(lines)
    values = {node.targets[0].id: node.value for node in tree.body
              if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}  # fmt: skip
    for node in tree.body:
        expected = _expected(node, values, tested)
        if expected is not None and probability_of(pieces, *_place(lines, expected)) < MIN_SURE:
            return "\n".join(lines[: node.lineno - 1])
    return raw


def _longest(lines: list[str]) -> ast.Module:
    """Return the tree of as many lines as parse: an answer may be cut off, or go on after its fence."""
    for count in range(len(lines), 0, -1):
        tree = parsed(textwrap.dedent("\n".join(lines[:count])))
        if tree is not None:
            return tree
    return ast.Module([], [])


def _expected(node: ast.stmt, values: dict[str, ast.expr], tested: str) -> ast.expr | None:
    """Return the expected value of an assertion, or the value assigned to the variable that holds it."""
    test = node.test if isinstance(node, ast.Assert) else None
    if not isinstance(test, ast.Compare):
        return None
    calls = [descendant for descendant in ast.walk(test.comparators[0]) if isinstance(descendant, ast.Call)]
    is_turned = any(called_name(call) == tested for call in calls)
    side = test.left if is_turned else test.comparators[0]
    return values.get(side.id, side) if isinstance(side, ast.Name) else side


def _place(lines: list[str], node: ast.expr) -> tuple[int, int]:
    """Return the position of a node of the dedented lines in the original lines, in characters."""
    margin = len(lines[0]) - len(lines[0].lstrip(" \t")) if lines else 0
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    ends = [(node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)]
    first, last = (
        starts[line - 1] + margin + len(lines[line - 1][margin:].encode()[:column].decode(errors="ignore"))
        for line, column in ends
    )
    return first, last


def probability_of(pieces: Sequence[TextProbability], start: int, end: int) -> float:
    """Return the probability of the text between two places."""
    at, total = 0, 0.0
    for text, probability in pieces:
        if at < end and at + len(text) > start:
            total += math.log(max(probability, 1e-9))
        at += len(text)
    return math.exp(total)
