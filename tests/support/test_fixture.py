"""The fixture language itself."""

import pathlib

import pytest

from scripts.harness.fixture import parse_fixture, write_workspace
from spark_lsp.text.edit import Span
from tests.support.expect import expect


def test_one_file_with_a_cursor() -> None:
    fixture = parse_fixture("ab$0cd")
    assert (fixture.path, fixture.text, fixture.offset, fixture.selection) == ("main.py", "abcd", 2, None)


def test_several_files_and_a_selection(tmp_path: pathlib.Path) -> None:
    fixture = parse_fixture("""
        #- a/one.py
        x = 1
        //- two.ts
        let $0näme$0 = 2
    """)
    assert fixture.files == {"a/one.py": "x = 1\n", "two.ts": "let näme = 2\n"}
    assert (fixture.path, fixture.offset, fixture.selection) == ("two.ts", 8, Span(4, 8))
    assert write_workspace(fixture, tmp_path).read_text("utf-8") == "let näme = 2\n"


def test_no_cursor_is_the_start_of_the_first_file() -> None:
    fixture = parse_fixture("#- b.py\nb\n#- a.py\na\n")
    assert (fixture.path, fixture.offset) == ("b.py", 0)


@pytest.mark.parametrize("text", ["$0 $0 $0", "#- a\n$0\n#- b\n$0\n", "#- a\n1\n#- a\n2\n"])
def test_ambiguous_fixtures_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"one cursor|two sections"):
        parse_fixture(text)


def test_expect_shows_a_difference() -> None:
    expect("a\nb  \n", "\n        a\n        b\n    ")
    with pytest.raises(AssertionError, match=r"\+c"):
        expect("a\nc", "a\nb")
