"""Tests that must be refused, and assertions from a docstring's examples."""

import ast
import textwrap

import pytest

from spark_lsp.actions.checks.examples import assertions_of
from spark_lsp.actions.checks.functions import FUNCTION_TYPES
from spark_lsp.actions.checks.generated_test import has_enough, repaired, without_repeats
from spark_lsp.actions.checks.generated_test import test_problem as problem_of

AREA = "def area(w, h, *, unit=1):\n    return w * h * unit\n"
IN_A_CLASS = (
    "import unittest\n\n\nclass AreaTest(unittest.TestCase):\n    def test_area(self):\n"
    "        self.assertEqual(area(1, 2), 2)\n"
)


def _function(text: str) -> ast.FunctionDef:
    (node,) = ast.parse(text).body
    assert isinstance(node, FUNCTION_TYPES)
    assert isinstance(node, ast.FunctionDef)
    return node


def _problem(body: str) -> str:
    text = body if "def " in body else "def test_area() -> None:\n" + textwrap.indent(body, "    ")
    return problem_of(text, "test_area", "area", _function(AREA))


REFUSED = {
    "self outside of a class": ("self.assertEqual(area(1, 2), 2)\n", "test_area uses self, and it is not a method."),
    "no call": ("assert 1 == 1\n", "test_area never calls area."),
    "no assertion": ("area(1, 2)\n", "test_area asserts nothing about area."),
    "an assertion of something else": ("area(1, 2)\nassert True\n", "test_area asserts nothing about area."),
    "one argument too few": ("assert area(1) == 1\n", "area is called without h."),
    "one too many": ("assert area(1, 2, 3) == 6\n", "area takes 2 positional arguments, but the call has 3."),
    "an unknown name": ("assert area(1, 2, depth=3) == 6\n", "area has no parameter depth."),
    "two results": ("assert area(1, 2) == 2\nassert area(1, 2) == 3\n", "test_area asserts two values of area(1, 2)."),
    "something harmful": ("import os\nos.remove('x')\nassert area(1, 2) == 2\n", "test_area calls os.remove."),
    "not there": ("def test_other():\n    pass\n", "test_area is no longer a test of the file."),
}


@pytest.mark.parametrize(("body", "problem"), REFUSED.values(), ids=REFUSED)
def test_refused(body: str, problem: str) -> None:
    assert _problem(body) == problem


ACCEPTED = {
    "an assertion": "assert area(1, 2) == 2\n",
    "of a variable": "result = area(1, h=2)\nassert result == 2\n",
    "of what is made of it": "found = [area(1, 2)]\nfor each in found:\n    assert each\n",
    "of an error, with a call that does not fit": "with pytest.raises(TypeError):\n    area()\n",
    "of several calls": "assert area(*[1, 2]) == 2\nassert area(2, 2, unit=2) == 8\n",
    "in a class": IN_A_CLASS,
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(body: str) -> None:
    assert _problem(body) == ""


def test_assertions_that_are_said_again_are_left_out() -> None:
    assert without_repeats("assert a(1)\n    assert a(2)\n    assert a(1)\n    x = 1\n    x = 1") == (
        "assert a(1)\n    assert a(2)\n    x = 1\n    x = 1"
    )


EXAMPLES = {
    "values": (
        ">>> area(1, 2)\n    2\n    >>> area('a', 3)\n    'aaa'\n",
        ["assert area(1, 2) == 2", "assert area('a', 3) == 'aaa'"],
    ),
    "what comes before": (">>> x = 3\n    >>> area(x, 1)\n    3\n", ["x = 3", "assert area(x, 1) == 3"]),
    "a truth": (">>> area(1, 2) > 1\n    True\n", ["assert (area(1, 2) > 1) is True"]),
    "an error": (
        ">>> area(1)\n    Traceback (most recent call last):\n    TypeError: no\n",
        ["with pytest.raises(TypeError):", "    area(1)"],
    ),
    "its own import": (">>> from shapes import area\n    >>> area(1, 2)\n    2\n", ["assert area(1, 2) == 2"]),
    "an object that is no value": (
        ">>> area(1, 2)\n    2\n    >>> area(2, 2)\n    <Area 4>\n",
        ["assert area(1, 2) == 2"],
    ),
    "none": ("Nothing.", []),
    "of something else": (">>> other(1)\n    2\n", []),
    "printed": (">>> print(area(1, 2))\n    2 m\n", []),
}


@pytest.mark.parametrize(("docstring", "statements"), EXAMPLES.values(), ids=EXAMPLES)
def test_examples(docstring: str, statements: list[str]) -> None:
    text = f'def area(w, h):\n    """Return it.\n\n    {docstring}    """\n    return w * h\n'
    assert assertions_of(_function(text)) == statements


DAYS = "def days(first, last):\n    while first < last:\n        yield first\n        first += 1\n"
REPAIRED = {
    "a call that is compared": ("    assert days(1, 3) == [1, 2]\n", "    assert list(days(1, 3)) == [1, 2]\n"),
    "a variable that is compared": (
        "    found = days(1, 3)\n    assert found == [1, 2]\n",
        "    found = list(days(1, 3))\n    assert found == [1, 2]\n",
    ),
    "over several lines": (
        "    assert days(\n        1, 3\n    ) == [1, 2]\n",
        "    assert list(days(\n        1, 3\n    )) == [1, 2]\n",
    ),
    "behind other letters": ("    assert days('ä', 'ö') == ['ä']\n", "    assert list(days('ä', 'ö')) == ['ä']\n"),
    "a list already": ("    assert list(days(1, 3)) == [1, 2]\n", "    assert list(days(1, 3)) == [1, 2]\n"),
    "another value": ("    assert days(1, 3) is not None\n", "    assert days(1, 3) is not None\n"),
}


@pytest.mark.parametrize(("body", "after"), REPAIRED.values(), ids=REPAIRED)
def test_what_a_generator_yields_is_made_a_list(body: str, after: str) -> None:
    assert repaired(body, "days", _function(DAYS)) == after


def test_calls_of_plain_functions_stay() -> None:
    assert repaired("    assert area(1, 2) == [2]\n", "area", _function(AREA)) == "    assert area(1, 2) == [2]\n"


def test_only_the_first_assertions_stay() -> None:
    lines = [
        f"    # Test {number}\n    assert area({number}, 2) == (\n        {2 * number}\n    )\n" for number in range(9)
    ]
    assert repaired("".join(lines), "area", _function(AREA)) == "".join(lines[:3]).rstrip("\n")
    assert not has_enough("".join(lines[:3]))
    assert has_enough("".join(lines[:4]))
