"""What rewritten lines must keep, and whether a diagnostic is gone."""

import pytest

from spark_lsp.actions.base import Diagnostic
from spark_lsp.actions.checks.rejudge import fix_problem
from spark_lsp.actions.checks.rewritten import lost_problem, size_problem
from spark_lsp.text.edit import Span

BEFORE = (
    'def total(items, log):\n    """Add them up."""\n    if not items:\n        raise ValueError("no items")\n'
    "    result = 0\n    for item in items:\n        log.write(item)\n        result += item\n    return result\n"
)
LOST = {
    "a call": (BEFORE.replace("        log.write(item)\n", ""), "The call of write would be removed."),
    "an error": (
        BEFORE.replace('        raise ValueError("no items")\n', "        return ValueError(1)\n"),
        "ValueError would no longer be raised.",
    ),
    "the docstring": (BEFORE.replace('    """Add them up."""\n', ""), "The docstring of total would be removed."),
    "a parameter": (BEFORE.replace("items, log", "items, log, more"), "The signature of total would change."),
    "the function": (BEFORE.replace("def total", "def sum_up"), "total would be removed."),
    "there twice": (BEFORE + "\n\n" + BEFORE, "total would be defined twice."),
    "a value before it has one": (
        BEFORE.replace("    return result\n", "    return result % 1, '%s %s' % (result, 1), result is 'a'\n"),
        "The edit introduces a problem: use ==/!= to compare constant literals (str, bytes, int, float, tuple).",
    ),
}


@pytest.mark.parametrize(("after", "problem"), LOST.values(), ids=LOST)
def test_lost(after: str, problem: str) -> None:
    assert lost_problem(BEFORE, after) == problem


ASKED = {
    "a call": (BEFORE.replace("        log.write(item)\n", ""), "Do not call write any more."),
    "a parameter": (BEFORE.replace("items, log", "items, log, more"), "Add a parameter more."),
    "another name": (BEFORE.replace("def total", "def sum_up"), "Rename it to sum_up."),
    "the docstring": (BEFORE.replace('    """Add them up."""\n', ""), "Remove the docstring."),
}


@pytest.mark.parametrize(("after", "instruction"), ASKED.values(), ids=ASKED)
def test_what_was_asked_for_may_go(after: str, instruction: str) -> None:
    assert lost_problem(BEFORE, after, instruction) == ""


def test_a_parameter_that_was_set_is_still_set() -> None:
    before = "def f(a, b=None):\n    if b is None:\n        b = a\n    return g(b)\n"
    assert lost_problem(before, "def f(a, b=None):\n    return g(b)\n", "Log it.") == "b would no longer be set."
    assert lost_problem(before, "def f(a, b=None):\n    return g(a if b is None else b)\n", "Set b at once.") == ""


def test_a_simpler_text_is_smaller() -> None:
    long = "def f(a):\n    x = a\n    return x\n"
    assert size_problem(long, "def f(a):\n    return a\n") == ""
    assert size_problem(long, "def f(a):\n    y = a\n    return y\n") == "The model's text is no simpler."
    assert size_problem(long, long.replace("    x = a\n", "    x = a  # it\n")) == "The model's text is no simpler."


STILL = "The problem is still there."
FIXES = {
    "an undefined name": ("def f(a):\n    return b\n", "def f(a):\n    return a\n", "F821", "b", ""),
    "another undefined name": (
        "def f(a):\n    return b\n",
        "def f(a):\n    return c\n",
        "F821",
        "b",
        "The edit introduces another problem: undefined name 'c'.",
    ),
    "a name that stays": ("def f(a):\n    return b\n", "def f(a):\n    return b or a\n", "F821", "b", STILL),
    "by pyright's name": (
        "def f(a):\n    return b\n",
        "def f(a):\n    return b + a\n",
        "reportUndefinedVariable",
        "b",
        STILL,
    ),
    "an unused variable": ("def f(a):\n    x = 1\n    return a\n", "def f(a):\n    return a\n", "F841", "x", ""),
    "still unused": (
        "def f(a):\n    x = 1\n    return a\n",
        "def f(a):\n    x = 2\n    return a\n",
        "F841",
        "x",
        STILL,
    ),
    "compared with None": ("def f(a):\n    return a == None\n", "def f(a):\n    return a is None\n", "E711", "==", ""),
    "still compared": ("def f(a):\n    return a == None\n", "def f(a):\n    return None == a\n", "E711", "==", STILL),
    "a bare except": (
        "try:\n    x()\nexcept:\n    y()\n",
        "try:\n    x()\nexcept Exception:\n    y()\n",
        "E722",
        "except",
        "",
    ),
    "else behind return": (
        "def f(a):\n    if a:\n        return 1\n    else:\n        return 2\n",
        "def f(a):\n    if a:\n        return 1\n    return 2\n",
        "RET505",
        "else",
        "",
    ),
    "half of a ternary": (
        "def f(a):\n    if a:\n        b = 1\n    else:\n        b = 2\n    return b\n",
        "def f(a):\n    if a:\n        b = 1 if a else 2\n    return b\n",
        "SIM108",
        "if",
        STILL,
    ),
    "a mutable default": ("def f(a=[]):\n    return a\n", "def f(a=()):\n    return a\n", "B006", "[]", ""),
    "another rule, at its place": ("x = 1\ny = 2\n", "x = 1\ny = 3\n", "XYZ1", "y", ""),
    "another rule, far away": (
        "x = 1\n" + "\n" * 20 + "y = 2\n",
        "x = 3\n" + "\n" * 20 + "y = 2\n",
        "XYZ1",
        "y",
        "The edit does not change the code of the problem.",
    ),
}


@pytest.mark.parametrize(("before", "after", "code", "at", "problem"), FIXES.values(), ids=FIXES)
def test_fixed(before: str, after: str, code: str, at: str, problem: str) -> None:
    start = before.index(at)
    assert fix_problem(before, after, Diagnostic(Span(start, start + len(at)), "wrong", code)) == problem
