"""Suggestions without the model: the rest of a visible suggestion, and cached answers.

Rejected texts are never offered again in their place, however much of them was typed.
"""

import asyncio

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.pipeline import Terms
from spark_lsp.completion.rejection_backoff import settings_key
from spark_lsp.completion.reuse import Result, Reuse
from spark_lsp.engine.testing import ScriptedEngine
from tests.completion.check import cursor_of
from tests.support.workspace import TestWorkspace, snapshot_of

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


def _rejected(cursor: CursorContext, text: str) -> Reuse:
    reuse = Reuse()
    reuse.reject(Result(cursor.snapshot.uri, cursor.prefix, cursor.suffix, text, 0, ""))
    return reuse


def _typed(cursor: CursorContext, text: str) -> CursorContext:
    return CursorContext(snapshot_of("main.py", cursor.prefix + text + cursor.suffix), cursor.offset + len(text))


@given(HOLES, TEXTS, st.integers(0, 20), st.booleans())
def test_the_same_text_is_never_offered_in_its_place_again(before: str, text: str, typed: int, exactly: bool) -> None:
    cursor = cursor_of(before)
    rest = text[typed:]
    assume(rest.strip())
    assert _rejected(cursor, text).is_rejected(_typed(cursor, text[:typed]), rest, exactly=exactly)


@given(HOLES, TEXTS, st.integers(1, 20), TEXTS)
def test_nor_what_begins_it_or_goes_on_from_it(before: str, text: str, written: int, more: str) -> None:
    cursor = cursor_of(before)
    reuse = _rejected(cursor, text)
    assume(text[:written].strip())
    assert reuse.is_rejected(cursor, text[:written])
    assert reuse.is_rejected(cursor, text.rstrip() + more)


@given(HOLES, TEXTS, TEXTS)
def test_by_hand_only_the_very_text_is_withheld(before: str, text: str, other_text: str) -> None:
    cursor = cursor_of(before)
    assert _rejected(cursor, text).is_rejected(cursor, other_text, exactly=True) == (
        (cursor.line_prefix + text).split() == (cursor.line_prefix + other_text).split()
    )


def test_a_body_is_not_offered_below_the_line_either() -> None:
    cursor = cursor_of("import os\n" * 50 + "def f():$0\n")
    reuse = _rejected(cursor, "\n    total = 1\n    return total")
    below = _typed(cursor, "\n        ")  # indented by an editor
    assert reuse.is_rejected(below, "total = 1\n        return total")
    assert reuse.is_rejected(below, "total = 1")
    assert not reuse.is_rejected(below, "pass")
    assert not reuse.is_rejected(_typed(below, "total = 1\n    return total\n"), "total = 1")


def test_who_types_past_it_is_somewhere_else() -> None:
    cursor = cursor_of("x = 1\n$0\n")
    reuse = _rejected(cursor, "y")
    assert reuse.is_rejected(cursor, "y = 2")
    assert not reuse.is_rejected(_typed(cursor, "y = "), "2")
    assert not reuse.is_rejected(_typed(cursor, "z"), " = y")
    assert not reuse.is_rejected(cursor_of("x = 2\n$0\n"), "y")


FIRST = Result("file:///w/main.py", "def f(x):\n    ", "\n", "total = x\n    return total", 0, "model:digest:settings")


def _cursor(prefix: str, suffix: str, path: str = "main.py") -> CursorContext:
    return CursorContext(snapshot_of(path, prefix + suffix), len(prefix))


def _kept(result: Result = FIRST) -> Reuse:
    reuse = Reuse()
    reuse.store(result)
    return reuse


@given(st.integers(0, len(FIRST.text) - 1), st.sampled_from(["", "\t", "  ", "    "]))
def test_what_is_typed_of_a_suggestion_always_leaves_its_rest_even_on_a_line_that_is_indented_again(
    typed: int, indent: str
) -> None:
    text = FIRST.text.replace("    ", indent)
    result = _kept().look_up(_cursor(f"def f(x):\n{indent}{text[:typed]}", "\n"), "")
    assert (result and result.text) == (text[typed:] or None)


@given(TEXTS)
def test_something_else_that_is_typed_never_shows_it(typed: str) -> None:
    assume(not FIRST.text.startswith(typed))
    assume(not FIRST.text.startswith(typed.lstrip(" \t")))
    assert _kept().look_up(_cursor(FIRST.prefix + typed, FIRST.suffix), FIRST.settings_key) is None


@pytest.mark.parametrize(
    ("prefix", "suffix", "path", "settings_key"),
    [
        ("def g(x):\n    ", FIRST.suffix, "main.py", FIRST.settings_key),
        (FIRST.prefix, "\n\n\nmain()\n", "main.py", FIRST.settings_key),
        (FIRST.prefix, FIRST.suffix, "other.py", FIRST.settings_key),
        (FIRST.prefix, FIRST.suffix, "main.py", "model:another digest:settings"),
    ],
)
def test_a_kept_answer_is_found_under_everything_it_depends_on_only(
    prefix: str, suffix: str, path: str, settings_key: str
) -> None:
    reuse = _kept()
    reuse.store(Result("file:///w/main.py", "newer", "", "x", 0, ""))  # so that only a cached answer can be used
    result = reuse.look_up(_cursor(FIRST.prefix, FIRST.suffix), FIRST.settings_key)
    assert result is not None
    assert result.text == FIRST.text
    assert reuse.look_up(_cursor(prefix, suffix, path), settings_key) is None


def test_model_cached_prefix_and_settings_are_in_the_key_of_an_answer() -> None:
    engine = ScriptedEngine(["x"])
    workspace = TestWorkspace(engine)
    writer, terms = workspace.completer.writer, Terms(4, 0.2)
    variants = (terms, Terms(5, 0.2), Terms(4, 0.3))
    keys = {settings_key(writer.basis, variant.max_lines, variant.confidence) for variant in variants}
    asyncio.run(engine.start())
    key = settings_key(writer.basis, terms.max_lines, terms.confidence)
    assert len({*keys, key}) == 4
    assert workspace.context.digest in key
