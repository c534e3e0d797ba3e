"""Line tables, spans and edits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.snapshot import LineTable, Snapshot, content_hash

texts = st.text(alphabet=st.sampled_from("ab\n\r é😀\ud800"), max_size=60)


@given(texts)
def test_lines_and_their_endings_make_up_the_text(text: str) -> None:
    lines = LineTable.of(text)
    ends = [*lines.starts[1:], len(text)]
    assert "".join(text[start:end] for start, end in zip(lines.starts, ends, strict=True)) == text
    assert all(lines.span(line).text(text).count("\n") == 0 for line in range(len(lines)))
    assert {text[lines.ends[line] : ends[line]] for line in range(len(lines))} <= {"", "\n", "\r", "\r\n"}


@given(texts, st.data())
def test_an_offset_lies_on_the_line_that_starts_last_before_it(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    lines = LineTable.of(text)
    line = lines.line_of(offset)
    assert lines.starts[line] <= offset
    assert line + 1 == len(lines) or offset < lines.starts[line + 1]


def test_only_three_line_endings_count() -> None:
    assert len(LineTable.of("a\x0bb\x0cc\u2028d\x85e")) == 1


@given(texts, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), texts), max_size=5))
def test_edits_agree_with_edits_made_one_by_one_from_the_end(text: str, raw: list[tuple[int, int, str]]) -> None:
    edits: list[Edit] = []
    done = 0
    for start, length, new_text in sorted(raw, key=lambda change: change[:2]):
        first = min(max(start, done), len(text))
        last = min(first + length, len(text))
        edits.append(Edit(Span(first, last), new_text))
        done = last
    expected = text
    for edit in reversed(edits):
        expected = expected[: edit.span.start] + edit.new_text + expected[edit.span.end :]
    assert apply_edits(text, edits) == expected


@pytest.mark.parametrize(
    "edits", [[Edit(Span(0, 3), ""), Edit(Span(2, 4), "")], [Edit(Span(4, 6), "")], [Edit(Span(9, 9), "x")]]
)
def test_edits_that_overlap_or_lie_outside_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="overlaps"):
        apply_edits("abcde", edits)


def test_a_span_is_ordered_and_true_when_empty() -> None:
    assert Span(3, 3)
    assert Span(1, 3).contains(3)
    with pytest.raises(ValueError, match="ordered"):
        Span(3, 1)


def test_a_text_with_a_lone_surrogate_has_a_hash_and_a_snapshot() -> None:
    snapshot = Snapshot("untitled:1", None, 1, "python", "x = '\ud800'\n")
    assert snapshot.content_hash == content_hash(snapshot.text) != content_hash("x = '?'\n")
    assert len(snapshot.lines) == 2
