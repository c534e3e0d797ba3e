"""The editor's quick fixes as next edits: the first small one, and only where nothing is computed."""

import pytest

from spark_lsp.edits.chain import Chain
from spark_lsp.edits.computed import computed
from spark_lsp.edits.next_edit import Fix, Situation
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.language import LANGUAGES

BEFORE = "def f(x):\n    return x\n"
NOW = "def f(x)\n    return x\n"
COLON = Fix("Add missing colon", (Edit(Span(8, 8), ":"),))


def _follow(*fixes: Fix, now: str = NOW, before: str = BEFORE) -> list[tuple[str, str]]:
    answer = computed(Situation("a.py", LANGUAGES["python"], now, (before,), fixes=fixes))
    return [(edit.title, edit.text_after) for edit in answer.edits] if isinstance(answer, Chain) else []


def test_a_fix_is_a_next_edit() -> None:
    assert _follow(COLON) == [("Fix: Add missing colon", BEFORE)]


def test_the_places_of_a_fix_become_one_edit() -> None:
    fix = Fix("Rename", (Edit(Span(6, 7), "y"), Edit(Span(20, 21), "y")))
    assert _follow(fix, COLON) == [("Fix: Rename", "def f(y)\n    return y\n")]


@pytest.mark.parametrize(
    "edits",
    [
        (Edit(Span(0, 900), ""),),
        (Edit(Span(0, 5), "a"), Edit(Span(4, 6), "b")),
        (Edit(Span(0, 0), "\n" * 30),),
    ],
    ids=["outside", "overlapping", "long"],
)
def test_what_is_no_small_edit_is_passed_over(edits: tuple[Edit, ...]) -> None:
    assert _follow(Fix("Other", edits), COLON) == [("Fix: Add missing colon", BEFORE)]


def test_what_is_computed_comes_first() -> None:
    fix = Fix("Undefined name", (Edit(Span(0, 0), "import x\n"),))
    titles = [title for title, _ in _follow(fix, now="def f(y):\n    return x\n")]
    assert titles == ["Rename x to y"]


def test_without_an_edit_there_is_none() -> None:
    situation = Situation("a.py", LANGUAGES["python"], NOW, (), fixes=(COLON,))
    assert not isinstance(computed(situation), Chain)
