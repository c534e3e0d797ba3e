"""Questions about syntax: the answers are in code points, whatever the text holds."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.harness.fixture import parse_fixture
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import PARSE_LIMIT_BYTES, Syntax, parse, path_to, reparse

PYTHON = LANGUAGES["python"]


def syntax_of(text: str, language: str = "python") -> Syntax:
    syntax = parse(LANGUAGES[language], text)
    assert syntax is not None
    return syntax


@pytest.mark.parametrize(
    ("marked", "region"),
    [
        ("x = $0", "code"),
        ("x = 1  # no$0te", "comment"),
        ("x = 1  # note$0", "comment"),
        ("x = 1  # note$0\ny = 2", "comment"),
        ("x = 1  $0# note", "code"),
        ("x = 's$0'", "string"),
        ("x = $0's'", "code"),
        ("x = 's'$0", "code"),
        ("x = f'a{b$0}c'", "code"),
        ("x = f'a{b}c$0'", "string"),
        ("'''doc$0\n'''", "string"),
        ("größe = 'ä😀$0'", "string"),
        ("größe = 'ä😀'$0", "code"),
        ("x = '\ud800$0'", "string"),
        ("$0", "code"),
    ],
)
def test_region_in_python(marked: str, region: str) -> None:
    fixture = parse_fixture(marked)
    assert syntax_of(fixture.text).region_at(fixture.offset) == region


@pytest.mark.parametrize(
    ("marked", "region"),
    [
        ("let a = `x${b$0}`", "code"),
        ("let a = `x$0${b}`", "string"),
        ("// no$0te", "comment"),
        ("/* no$0te */ let a", "comment"),
        ("/* note */ let a$0", "code"),
        ("let a = 'é😀$0'", "string"),
    ],
)
def test_region_in_typescript(marked: str, region: str) -> None:
    fixture = parse_fixture(marked)
    assert syntax_of(fixture.text, "typescript").region_at(fixture.offset) == region


@given(st.text(alphabet=st.sampled_from("ab=('\n #é😀\ud800:)"), max_size=40), st.data())
def test_nodes_nest_and_stay_inside_any_text(text: str, data: st.DataObject) -> None:
    syntax = syntax_of(text)
    offset = data.draw(st.integers(0, len(text)))
    spans = [node.span for node in syntax.ancestors_at(offset)]
    assert all(span.end <= len(text) for span in spans)
    assert all(outer.start <= inner.start and inner.end <= outer.end for inner, outer in itertools.pairwise(spans))
    assert syntax.region_at(offset) in {"code", "comment", "string"}


def test_node_text_after_characters_of_several_bytes() -> None:
    text = "s = 'é😀\ud800'; name = 1"
    node = syntax_of(text).node_at(text.index("name") + 1)
    assert (node.kind, node.span.text(text)) == ("identifier", "name")


def test_errors_are_counted() -> None:
    assert syntax_of("def f():\n    return 1\n").error_count == 0
    assert syntax_of("def f(:\n    return )\n").error_count > 0


@pytest.mark.slow
def test_ten_thousand_brackets_neither_hang_nor_overflow() -> None:
    text = "x = " + "[" * 10_000 + "]" * 10_000
    syntax = syntax_of(text)
    assert syntax.error_count == 0 or syntax.tree.root_node.has_error
    assert sum(1 for _ in syntax.ancestors_at(10_000)) > 1


def test_no_language_and_too_much_text_have_no_syntax() -> None:
    assert parse(None, "x") is None
    assert parse(PYTHON, "x" * (PARSE_LIMIT_BYTES + 1)) is None


@given(st.text(alphabet="ab (){}:\"'\n\té🦎=", max_size=60), st.text(alphabet="ab (:\n é🦎=", max_size=8), st.data())
def test_a_tree_brought_up_to_date_spans_the_new_text(text: str, put: str, data: st.DataObject) -> None:
    """Whatever was typed or deleted; a text without errors has the tree that a new parse gives."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    new = text[:start] + put + text[end:]
    before = parse(PYTHON, text)
    assert before is not None
    after, fresh = reparse(before, new), parse(PYTHON, new)
    assert after is not None
    assert fresh is not None
    assert (after.text, after.source) == (fresh.text, fresh.source)
    assert after.tree.root_node.end_byte <= len(after.source)
    if not fresh.error_count and not after.error_count:
        assert str(after.tree.root_node) == str(fresh.tree.root_node)


@given(st.text("(){}[];:,.=+ \nabdefx\"'", max_size=200), st.integers(0, 200), st.sampled_from(sorted(LANGUAGES)))
def test_the_path_to_a_node_is_that_over_its_parents(text: str, offset: int, language: str) -> None:
    syntax = parse(LANGUAGES[language], text)
    assert syntax is not None
    node = syntax.node_at(min(offset, len(text))).raw
    parents, raw = [node], node.parent
    while raw is not None:
        parents.append(raw)
        raw = raw.parent
    assert path_to(syntax.tree.root_node, node) == parents[::-1]
