"""The journal: bursts, skipped edits, and the texts before each edit."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.edits.journal import MAX_EDITS, Journal


def _typed(*texts: str, step_s: float = 0.3) -> Journal:
    journal = Journal()
    for number, (before, after) in enumerate(pairwise(texts)):
        journal.changed("u", before, after, number * step_s)
    return journal


def _bursts(journal: Journal) -> list[tuple[str, str]]:
    return [(edit.removed, edit.inserted) for edit in journal.edits("u")]


@pytest.mark.parametrize(
    ("texts", "step_s", "bursts"),
    [
        (("f()", "f(a)", "f(ab)", "f(abc)"), 0.3, [("", "abc")]),
        (("f()", "f(a)", "f(ab)"), 3.0, [("", "b"), ("", "a")]),
        (("old = 1", "ol = 1", "o = 1", " = 1", "n = 1", "new = 1"), 0.3, [("old", "new")]),
        (("a" + "x" * 500 + "b", "A" + "x" * 500 + "b", "A" + "x" * 500 + "B"), 0.3, [("b", "B"), ("a", "A")]),
        (("a", "ab", "a"), 0.3, []),
    ],
    ids=["typing", "pause", "overwritten", "far apart", "taken back"],
)
def test_bursts(texts: tuple[str, ...], step_s: float, bursts: list[tuple[str, str]]) -> None:
    assert _bursts(_typed(*texts, step_s=step_s)) == bursts


def test_undo_is_noticed_and_typing_ends_it() -> None:
    journal = _typed("a = 1", "b = 1", "a = 1", step_s=3)
    assert journal.is_undone("u")
    journal.changed("u", "a = 1", "c = 1", 20)
    assert not journal.is_undone("u")


def test_layout_alone_is_marked() -> None:
    journal = _typed("f(\n  1,\n  2)", "f(\n    1,\n    2)")
    assert [edit.is_layout for edit in journal.edits("u")] == [True]


def test_a_large_change_forgets_what_was_before() -> None:
    journal = _typed("a", "b", "b" + "\nx" * 50, step_s=3)
    assert journal.edits("u") == ()


def test_a_text_from_elsewhere_begins_again() -> None:
    journal = _typed("a", "b")
    journal.changed("u", "other", "others", 9)
    assert _bursts(journal) == [("", "s")]


@given(st.lists(st.text("ab\n", max_size=8), min_size=2, max_size=MAX_EDITS), st.floats(0.1, 5))
def test_the_texts_of_before_are_those_that_were(texts: list[str], step_s: float) -> None:
    journal = _typed(*texts, step_s=step_s)
    rebuilt = [before for _, before in journal.texts_before("u", texts[-1])]
    assert all(text in texts for text in rebuilt)
    assert len(rebuilt) <= MAX_EDITS
