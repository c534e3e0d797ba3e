"""Repeated edits: in every language with a grammar, what has to be the same, and that nothing else is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.edits.chain import Chain
from spark_lsp.edits.computed import computed
from spark_lsp.edits.next_edit import Silence, Situation
from spark_lsp.edits.repeated_source import repeated_edits
from spark_lsp.text.edit import Edit, apply_edits
from spark_lsp.text.language import LANGUAGES

CALLS = {
    "python": ("def f(a, b, c):\n", "    store.put({})\n", ""),
    "javascript": ("function f(a, b, c) {\n", "  store.put({});\n", "}\n"),
    "typescript": ("function f(a: T, b: T, c: T): void {\n", "  store.put({});\n", "}\n"),
    "tsx": ("function f(a: T, b: T, c: T): void {\n", "  store.put({});\n", "}\n"),
    "go": ("package a\n\nfunc f(a T, b T, c T) {\n", "\tstore.put({})\n", "}\n"),
    "rust": ("fn f(a: T, b: T, c: T) {\n", "    store.put({});\n", "}\n"),
    "java": ("class A {\n  void f(T a, T b, T c) {\n", "    store.put({});\n", "  }\n}\n"),
    "c": ("void f(T a, T b, T c) {\n", "  store_put({});\n", "}\n"),
    "cpp": ("void f(T a, T b, T c) {\n", "  store.put({});\n", "}\n"),
    "csharp": ("class A {\n  void f(T a, T b, T c) {\n", "    store.put({});\n", "  }\n}\n"),
    "ruby": ("def f(a, b, c)\n", "  store.put({})\n", "end\n"),
    "php": ("<?php\nfunction f($a, $b, $c) {\n", "  store_put(${});\n", "}\n"),
    "lua": ("function f(a, b, c)\n", "  store.put({})\n", "end\n"),
    "bash": ("f() {\n", "  store_put ${}\n", "}\n"),
    "kotlin": ("fun f(a: T, b: T, c: T) {\n", "    store.put({})\n", "}\n"),
    "scala": ("object A {\n  def f(a: T, b: T, c: T): Unit = {\n", "    store.put({})\n", "  }\n}\n"),
    "swift": ("func f(a: T, b: T, c: T) {\n", "    store.put({})\n", "}\n"),
}
"""Of each language what stands around statements, and a call with a gap for its argument."""


def follow(language: str, before: str, now: str) -> str:
    """Return a document with everything that a repeated edit makes of it."""
    answer = repeated_edits(Situation(f"a{LANGUAGES[language].extensions[0]}", LANGUAGES[language], now, (before,)))
    assert not isinstance(answer, Silence)
    return apply_edits(now, [Edit(edit.span, edit.new_text) for edit in answer.edits])


@pytest.mark.parametrize("language", LANGUAGES)
def test_two_calls_are_wrapped_and_so_is_the_third(language: str) -> None:
    head, call, tail = CALLS[language]
    wrapped = call.replace("put", "put_all") if language == "bash" else call.replace("put(", "put(clean(")
    wrapped = wrapped if language == "bash" else wrapped.replace(")", "))")
    before = head + "".join(call.format(name) for name in "abc") + tail
    now = head + wrapped.format("a") + wrapped.format("b") + call.format("c") + tail
    if language == "bash":  # a command has no bracket after its name, so this may be a renaming
        assert isinstance(repeated_edits(Situation("a.sh", LANGUAGES[language], now, (before,))), Silence)
    else:
        assert follow(language, before, now) == head + "".join(wrapped.format(name) for name in "abc") + tail


def test_a_second_burst_completes_the_example() -> None:
    texts = [f"send({first})\nsend({second})\nsend(c, retry)\nsend(d)\n" for first, second in ARGUMENTS]
    answer = computed(Situation("a.py", LANGUAGES["python"], texts[2], (texts[1], texts[0])))
    assert isinstance(answer, Chain)
    assert [(edit.text_after, edit.title) for edit in answer.edits] == [
        (texts[2].replace("send(d)", "send(d, retry)"), "Change send(…) to send(…, retry)")
    ]


ARGUMENTS = (("a", "b"), ("a, retry", "b"), ("a, retry", "b, retry"))


def test_a_comment_within_a_place_is_never_lost() -> None:
    before = "send(a)\nsend(b)\nsend(  # why\n    c\n)\n"
    now = before.replace("(a)", "(a, 1)").replace("(b)", "(b, 1)")
    assert isinstance(computed(Situation("a.py", LANGUAGES["python"], now, (before,))), Silence)


def test_text_that_no_leaf_holds_is_compared() -> None:
    before = '<?php\nput("first", a);\nput("second", b);\nput("third", c);\n'
    now = before.replace('put("first"', 'put(t("first")').replace('put("second"', 'put(t("second")')
    assert follow("php", before, now) == before.replace('("', '(t("').replace('",', '"),')


@given(st.lists(st.from_regex(r"\A[a-z]{1,4}(\.[a-z]{1,4})?\Z"), min_size=3, max_size=6), st.integers(0, 3))
def test_what_follows_is_always_the_same_change(names: list[str], depth: int) -> None:
    indent = "    " * (depth + 1)
    head = "".join(f"{'    ' * level}def f{level}():\n" for level in range(depth + 1))
    rows = [f"{indent}emit({name})\n" for name in names]
    changed = [f"{indent}emit(str({name}))\n" for name in names]
    now = head + "".join([*changed[:2], *rows[2:]])
    answer = repeated_edits(Situation("a.py", LANGUAGES["python"], now, (head + "".join(rows),)))
    edits = () if isinstance(answer, Silence) else answer.edits
    after = apply_edits(now, [Edit(edit.span, edit.new_text) for edit in edits])
    for line, was, may_be in zip(after.splitlines(keepends=True)[depth + 1 :], rows, changed, strict=True):
        assert line in {was, may_be}
