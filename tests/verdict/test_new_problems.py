"""A diagnostic is new if no equal one was there before, on the line that the edits move it to."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.text.edit import Edit, Span
from spark_lsp.verdict.base import EditedFile, ToolProblem
from spark_lsp.verdict.new_problems import new_problems

PATH = Path("/w/main.py")
OTHER = Path("/w/other.py")
TEXT = "a\nb\nc\nd\ne\n"


def problem(line: int, message: str = "bad", path: Path = PATH) -> ToolProblem:
    return ToolProblem(path, line, "code", message)


def edited(*edits: tuple[str, str]) -> EditedFile:
    """Replace parts of ``TEXT``."""
    spans = [(TEXT.index(old), old, new) for old, new in edits]
    return EditedFile(PATH, TEXT, tuple(Edit(Span(start, start + len(old)), new) for start, old, new in spans))


def new_lines(before: list[ToolProblem], after: list[ToolProblem], *edits: tuple[str, str]) -> list[int]:
    return [added.line for added in new_problems(before, after, [edited(*edits)])]


def test_a_line_moves_with_the_edits_above_it() -> None:
    assert new_lines([problem(4)], [problem(6)], ("b", "b\nb\nb")) == []
    assert new_lines([problem(4)], [problem(4)], ("b", "b\nb\nb")) == [4]
    assert new_lines([problem(4)], [problem(3)], ("b\n", "")) == []


def test_a_line_above_the_edits_stays() -> None:
    assert new_lines([problem(1)], [problem(1), problem(2)], ("d", "d\nd")) == [2]


def test_a_moved_line_keeps_its_diagnostic_and_a_second_one_is_new() -> None:
    assert new_lines([problem(2)], [problem(3)], ("b\n", ""), ("e", "b\ne")) == [3]
    assert new_lines([problem(2)], [problem(4)], ("b\n", ""), ("e", "b\ne")) == []
    assert new_lines([problem(2)], [problem(2), problem(3)], ("b", "b\nb")) == [3]


def test_the_message_and_the_code_count_but_no_places_in_them() -> None:
    assert new_lines([problem(1, "defined on line 3")], [problem(1, "defined on line 5")], ("b", "b\nb\nb")) == []
    assert new_lines([problem(1, "has no x")], [problem(1, "has no y")], ("b", "b\nb")) == [1]
    assert new_problems([problem(1)], [ToolProblem(PATH, 1, "another", "bad")], [edited()]) != ()


def test_another_file_is_compared_line_by_line() -> None:
    assert new_lines([problem(3, path=OTHER)], [problem(3, path=OTHER)], ("b", "b\nb")) == []
    assert new_lines([problem(3, path=OTHER)], [problem(4, path=OTHER)], ("b", "b\nb")) == [4]


LINES = st.lists(st.sampled_from(["x", "y = 1", "", "def f():"]), min_size=1, max_size=12)


@given(LINES, st.data())
def test_what_was_reported_of_untouched_lines_is_never_new(lines: list[str], data: st.DataObject) -> None:
    text = "".join(f"{line}\n" for line in lines)
    first = data.draw(st.integers(0, len(lines)))
    last = data.draw(st.integers(first, len(lines)))
    inserted = data.draw(LINES)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    new_text = "".join(f"{line}\n" for line in inserted)
    file = EditedFile(PATH, text, (Edit(Span(starts[first], starts[last]), new_text),))
    shift = len(inserted) - (last - first)
    untouched = [*range(1, first + 1), *range(last + 1, len(lines) + 1)]
    before = [problem(line, f"of {line % 2}") for line in untouched]
    after = [problem(line if line <= first else line + shift, f"of {line % 2}") for line in untouched]
    assert new_problems(before, after, [file]) == ()
    assert new_problems([], after, [file]) == tuple(after)
