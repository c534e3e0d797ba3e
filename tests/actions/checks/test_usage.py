"""Types that the code of a function contradicts."""

import ast

import pytest

from spark_lsp.actions.checks.usage import usage_problem

PROBLEMS = {
    "a method that it has": ("return x.split()", "str", ""),
    "a method that it has not": ("return x.split()", "int", "x is used as int cannot be."),
    "of one of two": ("return x.split()", "int | str", ""),
    "or nothing": ("return x.split()", "int | None", "x is used as int cannot be."),
    "a part of it": ("return x[0]", "set[int]", "x is used as set cannot be."),
    "a part that is set": ("x[0] = 1", "tuple[int]", "x is used as tuple cannot be."),
    "a loop": ("for each in x:\n        print(each)", "float", "x is used as float cannot be."),
    "a comprehension": ("return [each for each in x]", "bool", "x is used as bool cannot be."),
    "a call": ("return x()", "str", "x is used as str cannot be."),
    "handed on in parts": ("return max(*x)", "int", "x is used as int cannot be."),
    "a type that is not plain": ("return x.split()", "Path", ""),
    "the function asks itself": ("return x.split() if isinstance(x, str) else x", "int", ""),
    "another value": ("x = str(x)\n    return x.split()", "int", ""),
    "another variable": ("return y.split()", "int", ""),
}


@pytest.mark.parametrize(("body", "annotation", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_usage(body: str, annotation: str, problem: str) -> None:
    (function,) = ast.parse(f"def f(x, y):\n    {body}\n").body
    assert isinstance(function, ast.FunctionDef)
    assert usage_problem(function, "x", annotation) == problem
