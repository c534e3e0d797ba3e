"""An edit that causes a new warning of Python's compiler is refused; earlier warnings do not count."""

from spark_lsp.actions.check import failure
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse

TEXT = 'def add(a, b):\n    assert (a, "first")\n    return a + b\n'


def _failure(old: str, new: str) -> str:
    start = TEXT.index(old)
    return failure(TEXT, parse(LANGUAGES["python"], TEXT), [Edit(Span(start, start + len(old)), new)])


def test_a_new_warning_of_the_compiler_refuses_an_edit() -> None:
    assert _failure("return a + b", 'assert (b, "second")').startswith("Python would warn of the edited text: asser")


def test_a_warning_of_before_does_not() -> None:
    assert _failure("a + b", "b + a") == ""
