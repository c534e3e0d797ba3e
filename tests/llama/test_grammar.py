"""Grammars that could end the engine process are refused; those of the product are not."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.errors import EngineFailed
from spark_lsp.llama.grammar import MAX_CHARS, MAX_DEPTH, MAX_REPEATS, MAX_RULES, check_grammar

pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        ("root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000, f"more than {MAX_DEPTH} deep"),
        ("root ::= " + "(" * (MAX_DEPTH + 1) + '"a"' + ")" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} deep"),
        ("root ::= r0\n" + "\n".join(f"r{n} ::= r{n + 1}" for n in range(2_000)), f"more than {MAX_RULES} rules"),
        ('root ::= "a"' + "?" * 20_000, f"more than {MAX_RULES} rules"),
        ('root ::= "a"{0,100000}', f"more than {MAX_REPEATS:,} times"),
        ('root ::= "a"{ 0000000000000000000000000000000000000009999 }', f"more than {MAX_REPEATS:,} times"),
        ('root ::= ("a"{600}){600}', f"more than {MAX_REPEATS:,} times"),
        ('root ::= "' + "a" * MAX_CHARS + '"', f"more than {MAX_CHARS:,} characters"),
        ('root ::= "a\0"', "no grammar can hold"),
    ],
)
def test_what_could_end_the_process_is_refused(grammar: str, text: str) -> None:
    with pytest.raises(EngineFailed, match=text):
        check_grammar(grammar)


@pytest.mark.parametrize(
    "grammar",
    [
        "root ::= " + "(" * MAX_DEPTH + '"a"' + ")" * MAX_DEPTH,
        'root ::= "' + "(" * 1000 + '" [' + "(" * 1000 + "]",
        'root ::= "\\"(((" [\\](((] # ' + "(" * 1000,
        'root ::= "{999999}" [a-z]{1,40}',
    ],
)
def test_brackets_in_literals_classes_and_comments_are_none(grammar: str) -> None:
    check_grammar(grammar)


@given(st.text('()[]{}"\\:=?*+,0129ab#\n ', max_size=200))
def test_no_text_breaks_the_check(grammar: str) -> None:
    with contextlib.suppress(EngineFailed):
        check_grammar(grammar)
