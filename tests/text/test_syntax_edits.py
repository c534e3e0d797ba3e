"""A tree that was updated by edits answers as a fresh one does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.text.edit import Span
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import Syntax, parse_in_steps, reparse
from tests.support.syntax import parsed

PYTHON = LANGUAGES["python"]
PIECES = st.lists(
    st.sampled_from(["x = f(a)\n", "def g():\n    a\n", "é = '\U0001f600'\n", "(", ")", "\r\n", "\t", "'", "if a:\n"]),
    max_size=12,
).map("".join)  # fmt: skip


def _outline(tree: Syntax) -> str:
    return str(tree.tree.root_node)


@given(PIECES, PIECES, PIECES, PIECES)
def test_an_edit_and_a_new_parse_count_the_same_errors(head: str, old: str, new: str, tail: str) -> None:
    before = parsed(PYTHON, head + old + tail)
    after = before.edited(Span(len(head), len(head + old)), new)
    fresh = parsed(PYTHON, head + new + tail)
    assert (after.text, after.source) == (fresh.text, fresh.source)
    if not fresh.error_count:
        assert _outline(after) == _outline(fresh)
    again = reparse(before, fresh.text)
    assert again is not None
    assert again.text == fresh.text


@pytest.mark.parametrize(
    ("text", "dangles"),
    [
        ("x = a and", True), ("x =", True), ("x = a.", True), ("return a", False), ("pass", False), ("return", False),
        ("f(a)", False), ("x = [a,", False), ("x = 'a and'", False), ("# a and", False), ("if a", False),
    ],
)  # fmt: skip
def test_half_of_an_expression_dangles(text: str, dangles: bool) -> None:
    assert parsed(PYTHON, f"y = 1\n{text}").dangles_at(len(text) + 6) is dangles


@given(PIECES)
def test_a_tree_made_in_steps_is_the_same(text: str) -> None:
    assert _outline(parse_in_steps(PYTHON, text)) == _outline(parsed(PYTHON, text))


def test_outermost_node_and_leaves() -> None:
    tree = parsed(PYTHON, "é = 1\nfor a in b:\n    a.c()\n")
    start = tree.text.index("for")
    node = tree.outermost_from(start)
    assert node is not None
    assert node.type == "for_statement"
    assert tree.outermost_from(start + 1) is None
    leaves = [leaf.text.decode() for leaf in tree.nodes_within(Span(start, len(tree.text))) if leaf.text]
    assert leaves == ["for", "a", "in", "b", ":", "a", ".", "c", "(", ")"]
