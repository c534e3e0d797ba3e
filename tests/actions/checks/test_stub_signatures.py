"""What the prompt says about the function whose body the model writes."""

import pytest

from spark_lsp.actions.checks.body import signature_of_stub

HEADS = {
    "of a method": ("class A:\n    def f(self, a, *, b=1, **c) -> 'Money':\n        ...\n", 2, (["a", "b"], "Money")),
    "of a function": ("def f(a, *args, _d) -> None: ...\n", 1, (["a", "args"], "")),
    "that Python calls": ("class A:\n    def __exit__(self, *error): ...\n", 2, ([], "")),
    "that does not parse": ("def f(a):\n", 1, ([], "")),
}


@pytest.mark.parametrize(("text", "line", "expected"), HEADS.values(), ids=HEADS)
def test_signatures(text: str, line: int, expected: tuple[list[str], str]) -> None:
    assert signature_of_stub(text, line) == expected
