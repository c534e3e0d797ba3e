"""Trimming does not depend on the chunks of the stream, and only ever cuts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.trim import Trimmed, trim
from tests.completion.check import cursor_of

HOLES = [
    "def f(x):\n    $0\n    return x\n",
    "value = call($0)\n",
    "items = [\n    1,\n    $0\n]\n",
    "total = $0",
    "class A:\n    def f(self):$0\n",
]
FRAGMENTS = st.sampled_from(
    ["x", "return x", "\n", "\n    ", "\n        ", "(", ")", "[", "]", "{", "}", "'", '"', " = 1", "call(a, b)", "\t",
     "<|fim_middle|>", "```", "abc, ", "# don't", "    return x", "\n\n\n", "é", "\U0001f600", "0", "def g():"]
)  # fmt: skip


def _streamed(cursor: CursorContext, text: str, cuts: list[int]) -> Trimmed:
    """Trim as the pipeline does: after each slice, until a rule says stop."""
    ends = sorted({cut for cut in cuts if cut < len(text)} | {len(text)})
    for end in ends:
        trimmed = trim(cursor, text[:end], max_lines=4, finished=False)
        if trimmed.done:
            return trimmed
    return trim(cursor, text, max_lines=4, finished=True)


@pytest.mark.slow
@given(
    st.sampled_from(HOLES),
    st.lists(FRAGMENTS, max_size=40).map("".join),
    st.lists(st.integers(0, 200), max_size=20),
    st.lists(st.integers(0, 200), max_size=20),
)
def test_slicing_never_changes_the_result(before: str, text: str, cuts: list[int], other_cuts: list[int]) -> None:
    cursor = cursor_of(before)
    every = list(range(len(text)))
    assert _streamed(cursor, text, cuts) == _streamed(cursor, text, other_cuts) == _streamed(cursor, text, every)


@given(st.sampled_from(HOLES), st.lists(FRAGMENTS, max_size=40).map("".join), st.booleans())
def test_trim_only_cuts_from_the_end(before: str, text: str, finished: bool) -> None:
    trimmed = trim(cursor_of(before), text, max_lines=4, finished=finished)
    assert text.startswith(trimmed.text)
    assert trimmed.text.count("\n") < 4 + (not trimmed.done)
