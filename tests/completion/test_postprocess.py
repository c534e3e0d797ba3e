"""What is shown does not depend on the chunks of the stream, is never taken back, and adds no syntax errors."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spark_lsp.completion.brackets import imbalance
from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.pipeline import PostprocessResult, Terms, postprocess
from spark_lsp.text.edit import Edit, Span, apply_edits
from tests.completion.check import cursor_of
from tests.support.syntax import parsed

pytestmark = pytest.mark.slow

HOLES = [
    ("main.py", "def f(x):\n    $0\n    return x\n"),
    ("main.py", "value = call($0)\n"),
    ("main.py", "value = call( [ $0 ] ) \n"),
    ("main.py", "items = [\n    1,\n    $0\n]\n"),
    ("main.py", "x = 1\ntotal = $0"),
    ("main.py", "class A:\n    def f(self):$0\n"),
    ("main.py", "import os\n\n$0\n\ndef g():\n    pass\n"),
    ("main.py", "def f(x):\n    x = call(x)\n    $0\n\n\ndef g():\n    pass\n"),
    ("main.ts", "function f(a: number) {$0\n\nconst b = 1;\n"),
    ("main.ts", "const a = {\n  b: 1,\n};\n$0\n"),
    ("main.go", "package main\n\nfunc f(a int) int {\n\t$0\n}\n"),
    ("notes.txt", "one two\n  $0\nthree\n"),
]
FRAGMENTS = st.sampled_from(
    ["x", "return x", "\n", "\n    ", "\n        ", "\n\t", "(", ")", "[", "]", "{", "}", "'", '"', " = 1", "a(b, c)",
     "<|fim_middle|>", "```", "abc, ", "# don't", "    return x", "\n\n\n", "é", "\U0001f600", "0", "def g():",
     "<think>", "if x:", "else:", "pass", "value", ".", " ", "x = call(x)", "\ndef h():\n    ", " < ", "let c = ", ";"]
)  # fmt: skip
TEXTS = st.lists(FRAGMENTS, max_size=30).map("".join)
CHANCES = st.lists(st.floats(0.2, 1.0), min_size=1, max_size=60)


def scored(text: str, chances: list[float]) -> list[tuple[int, float]]:
    """Scores of a text in tokens of three characters."""
    return [(min(at + 3, len(text)), chances[at % len(chances)]) for at in range(0, len(text), 3)]


def streamed(
    cursor: CursorContext, text: str, chances: list[float], cuts: list[int], terms: Terms
) -> list[PostprocessResult]:
    """Process as the pipeline does: after each slice of whole tokens, until the model can stop."""
    scores = scored(text, chances)
    answers = []
    for end in sorted({cut - cut % 3 for cut in cuts if cut < len(text)}):
        known = [(at, chance) for at, chance in scores if at <= end]
        answers.append(postprocess(cursor, text[:end], known, terms, finished=False))
        if answers[-1].done:
            return answers
    return [*answers, postprocess(cursor, text, scores, terms, finished=True)]


def doubting(name: str) -> bool:
    return len(name) % 2 == 0


@given(st.sampled_from(HOLES), TEXTS, CHANCES, st.lists(st.integers(0, 200), max_size=20), st.booleans())
@settings(max_examples=300, deadline=None)
def test_slicing_never_changes_the_result(
    cursor: tuple[str, str], text: str, chances: list[float], cuts: list[int], is_sure: bool
) -> None:
    place = cursor_of(cursor[1], cursor[0])
    terms = Terms(4, 0.0 if is_sure else 0.3, doubting)
    first = streamed(place, text, chances, cuts, terms)[-1]
    second = streamed(place, text, chances, list(range(len(text))), terms)[-1]
    assert (first.text, first.replaced, first.rule) == (second.text, second.replaced, second.rule)


@given(st.sampled_from(HOLES), TEXTS, CHANCES, st.booleans())
@settings(max_examples=300, deadline=None)
@example(HOLES[0], "x[a(b, c)x```a(b, c)xreturn x)a(b, c)let c = let c = ", [1.0], True)
@example(HOLES[0], "\n    ```\n    ", [1.0], True)
def test_what_is_shown_is_only_extended(
    cursor: tuple[str, str], text: str, chances: list[float], is_sure: bool
) -> None:
    place = cursor_of(cursor[1], cursor[0])
    terms = Terms(4, 0.0 if is_sure else 0.3, doubting)
    shown = ""
    *partial, final = streamed(place, text, chances, list(range(len(text))), terms)
    for answer in partial:
        assert not answer.text or answer.text.startswith(shown), (shown, answer)
        shown = answer.text or shown
    assert final.text.startswith(shown), (shown, final)


@given(st.sampled_from(HOLES), TEXTS, CHANCES, st.sampled_from([0.0, 0.3, 0.6]))
@settings(max_examples=400, deadline=None)
def test_a_settled_result_is_the_final_one(
    cursor: tuple[str, str], text: str, chances: list[float], confidence: float
) -> None:
    """So a request is answered while the model still writes what nobody will see."""
    place = cursor_of(cursor[1], cursor[0])
    *partial, final = streamed(place, text, chances, list(range(len(text))), Terms(4, confidence, doubting))
    settled = [answer for answer in partial if answer.settled]
    assert {(answer.text, answer.replaced) for answer in settled} <= {(final.text, final.replaced)}


@given(st.sampled_from(HOLES), TEXTS, st.integers(0, 200), st.booleans())
@settings(max_examples=300, deadline=None)
@example(HOLES[1], "a, b)", 200, True)
@example(HOLES[2], "a])", 200, True)
def test_applying_never_leaves_the_document_worse(
    cursor: tuple[str, str], text: str, length: int, is_finished: bool
) -> None:
    place = cursor_of(cursor[1], cursor[0])
    answer = postprocess(place, text[:length], [], Terms(4), finished=is_finished)
    if not answer.text:
        return
    before, text = place.snapshot.text, iter(answer.text)
    assert all(char in text for char in place.suffix[: answer.replaced]), "else VS Code hides it"
    after = apply_edits(before, [Edit(Span(place.offset, place.offset + answer.replaced), answer.text)])
    assert imbalance(after) <= imbalance(before) or imbalance(after)[1] <= imbalance(before)[1]
    if place.language:
        assert parsed(place.language, after).error_count <= parsed(place.language, before).error_count
