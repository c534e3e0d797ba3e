"""A document keeps its line ends, whatever the model's are: every combination gives the same text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.completion.postprocess.pipeline import Terms, postprocess
from tests.completion.check import completed, cursor_of, inserted

BEFORE = "def load(path):\n    text = path.read_text()\n    $0\n\n\ndef save(path, rows):\n    path.write(rows)\n"
MODEL = "rows = text.splitlines()\n    count = len(rows)\n\n    log(count)\n    return rows\n"
ENDS = ["\n", "\r\n", "\r"]


@pytest.mark.parametrize("chunk_chars", [1, 3, 1000])
@pytest.mark.parametrize("model_end", ENDS, ids=ascii)
@pytest.mark.parametrize("end", ENDS, ids=ascii)
async def test_every_pair_of_line_ends_gives_the_same_lines(end: str, model_end: str, chunk_chars: int) -> None:
    twin, suggestion = await completed(BEFORE, MODEL, chunk_chars=chunk_chars)
    wanted = inserted(twin, suggestion)
    assert "rows = text.splitlines()" in wanted
    before, model = BEFORE.replace("\n", end), MODEL.replace("\n", model_end)
    cursor, answer = await completed(before, model, chunk_chars=chunk_chars)
    assert answer.reason == suggestion.reason == "ok"
    assert inserted(cursor, answer) == wanted.replace("\n", end)


@pytest.mark.parametrize(
    ("before", "end"),
    [
        ("a\r\nb\n$0", "\n"),
        ("a\nb\r\n$0", "\r\n"),
        ("a\n$0\r\nb", "\r\n"),
        ("$0\rb", "\r"),
        ("$0", "\n"),
        ("a$0", "\n"),
    ],
)
def test_in_a_mixed_document_the_line_of_the_cursor_counts(before: str, end: str) -> None:
    assert cursor_of(before).line_end == end


@given(
    st.sampled_from(ENDS),
    st.lists(st.sampled_from(["x = 1", "    y()", "", "\n", "\r", "\r\n", '"""'])).map("".join),
    st.integers(0, 30),
)
def test_nothing_shown_has_another_line_end(end: str, raw: str, cut: int) -> None:
    cursor = cursor_of("def f():\n    $0\n\n\nprint(f)\n".replace("\n", end))
    scores = [(number, 0.9) for number in range(1, len(raw) + 1)]
    text = postprocess(cursor, raw, scores, Terms(8, 0.1), finished=True).text
    assert text.replace(end, "").isprintable()
    partly = postprocess(cursor, raw[:cut], scores[:cut], Terms(8, 0.1), finished=False).text
    assert text.startswith(partly) or not text
