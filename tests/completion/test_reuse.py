"""Rejected texts: never offered again in their place, however much of them was typed or has been written."""

from hypothesis import assume, given
from hypothesis import strategies as st

from spark_lsp.completion.hole import Hole
from spark_lsp.completion.reuse import Result, Reuse
from tests.completion.check import hole_of
from tests.support.rooms import snapshot_of

HOLES = st.sampled_from(
    [
        "value = $0\n",
        "print($0)\n",
        "def f(x):\n    $0\n    return x\n",
        "$0",
        "x = 1\n\ty = $0",
        "import os\n" * 50 + "a = $0\n",
    ]
)
TEXTS = st.text(st.sampled_from("ab (,\n\t1é"), min_size=1, max_size=20).filter(str.strip)


def _rejected(hole: Hole, text: str) -> Reuse:
    reuse = Reuse()
    reuse.reject(Result(hole.snapshot.uri, hole.prefix, hole.suffix, text, 0, ""))
    return reuse


def _typed(hole: Hole, text: str) -> Hole:
    return Hole(snapshot_of("main.py", hole.prefix + text + hole.suffix), hole.offset + len(text))


@given(HOLES, TEXTS, st.integers(0, 20), st.booleans())
def test_the_same_text_is_never_offered_in_its_place_again(before: str, text: str, typed: int, exactly: bool) -> None:
    hole = hole_of(before)
    rest = text[typed:]
    assume(rest.strip())
    assert _rejected(hole, text).is_rejected(_typed(hole, text[:typed]), rest, exactly=exactly)


@given(HOLES, TEXTS, st.integers(1, 20), TEXTS)
def test_nor_what_begins_it_or_goes_on_from_it(before: str, text: str, written: int, more: str) -> None:
    hole = hole_of(before)
    reuse = _rejected(hole, text)
    assume(text[:written].strip())
    assert reuse.is_rejected(hole, text[:written])
    assert reuse.is_rejected(hole, text.rstrip() + more)


@given(HOLES, TEXTS, TEXTS)
def test_by_hand_only_the_very_text_is_withheld(before: str, text: str, other: str) -> None:
    hole = hole_of(before)
    assert _rejected(hole, text).is_rejected(hole, other, exactly=True) == (
        (hole.line_prefix + text).split() == (hole.line_prefix + other).split()
    )


def test_a_body_is_not_offered_below_the_line_either() -> None:
    hole = hole_of("import os\n" * 50 + "def f():$0\n")
    reuse = _rejected(hole, "\n    total = 1\n    return total")
    below = _typed(hole, "\n        ")  # indented by an editor that knows better
    assert reuse.is_rejected(below, "total = 1\n        return total")
    assert reuse.is_rejected(below, "total = 1")
    assert not reuse.is_rejected(below, "pass")
    assert not reuse.is_rejected(_typed(below, "total = 1\n    return total\n"), "total = 1")


def test_who_types_past_it_is_somewhere_else() -> None:
    hole = hole_of("x = 1\n$0\n")
    reuse = _rejected(hole, "y")
    assert reuse.is_rejected(hole, "y = 2")
    assert not reuse.is_rejected(_typed(hole, "y = "), "2")
    assert not reuse.is_rejected(_typed(hole, "z"), " = y")
    assert not reuse.is_rejected(hole_of("x = 2\n$0\n"), "y")
