"""A notebook as one document: cells in order, offsets that stay, and lines that only IPython reads."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.notebook import (
    NotebookText,
    language_of_cell,
    masked,
    notebook_text,
    with_names_of_unparsed,
)
from spark_lsp.text.snapshot import Snapshot, notebook_of

URI = "file:///a/my%20book.ipynb"


def cells_of(*texts: str, language: str = "python") -> list[Snapshot]:
    return [Snapshot(f"cell:{number}", None, number + 1, language, text) for number, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("%matplotlib inline", "#matplotlib inline"),
        ("  %time f()", "  #time f()"),
        ("%%time\nx = 1", "#%time\nx = 1"),
        ("!pip list", "#pip list"),
        ("!!ls", "#!ls"),
        ("files = !ls -la", "files = 0#s -la"),
        ("a, b = %sql SELECT 1", "a, b = 0#ql SELECT 1"),
        ("?print", "#print"),
        ("print?", "print#"),
        ("a.b??", "a.b##"),
        ("%time?", "#time?"),
        ("x = a % b\nx %= 2\nif a != b:\n    pass", "x = a % b\nx %= 2\nif a != b:\n    pass"),
        ("x = (a\n     % b)", "x = (a\n     % b)"),
        ("x = (a\n     != b)", "x = (a\n     != b)"),
        ("x = '100%'  # what?", "x = '100%'  # what?"),
    ],
)
def test_what_only_ipython_reads_becomes_a_comment(written: str, shown: str) -> None:
    assert masked(written) == shown
    ast.parse(masked(written))


def test_the_line_of_the_cursor_stays_as_it_is_written() -> None:
    text = "!pip list\n!pip ins\n"
    assert masked(text, text.index("ins")) == "#pip list\n!pip ins\n"
    assert masked(text, 0) == "!pip list\n#pip ins\n"


@given(st.text("ab%!?=. \t\n\r'()#é🦎", max_size=80), st.none() | st.integers(0, 80))
def test_a_mask_changes_no_length_and_no_line(text: str, offset: int | None) -> None:
    shown = masked(text, offset)
    assert len(shown) == len(text)
    assert [(len(line), line[-1:] in "\r\n") for line in shown.splitlines(keepends=True)] == [
        (len(line), line[-1:] in "\r\n") for line in text.splitlines(keepends=True)
    ]


@given(st.lists(st.text("ab =%\né", max_size=20), min_size=1, max_size=6), st.data())
def test_each_cell_is_where_it_says(texts: list[str], data: st.DataObject) -> None:
    cells = cells_of(*texts)
    notebook = notebook_text(URI, cells, data.draw(st.sampled_from(cells)).uri)
    assert len(notebook.text) == len(notebook.written)
    for cell in cells:
        place = notebook.place_of(cell.uri)
        if place is None:
            assert language_of_cell(cell) != notebook.language
            continue
        assert place.span.text(notebook.written) == cell.text
        assert notebook.lines.line_of(place.span.start) == place.first_line
        for offset in (place.span.start, place.span.end):
            assert notebook.place_at(offset) == place


def test_cells_are_in_order_and_those_of_other_languages_left_out() -> None:
    cells = cells_of("a = 1", "%%bash\nls -la", "%%time\nb = a", "c = b")
    cells.insert(1, Snapshot("cell:text", None, 1, "markdown", "# Title"))
    notebook = notebook_text(URI, cells, "cell:3")
    assert notebook.text == "a = 1\n#%time\nb = a\nc = b"
    assert notebook.language == "python"
    assert notebook_text(URI, cells, "cell:1").text == "%%bash\nls -la"
    assert notebook_text(URI, cells, "cell:1").language == "bash"
    assert notebook_text(URI, cells, "cell:text").text == "# Title"


@pytest.mark.parametrize("uri", [URI, "vscode-notebook-cell:/a/my%20book.ipynb"])
def test_a_notebook_has_one_name(uri: str) -> None:
    notebook = notebook_text(uri, cells_of("a"), "cell:0")
    path = notebook_of(notebook.uri)
    assert path is not None
    assert path.as_posix() == "/a/my book.ipynb"
    assert notebook.path is None


def test_a_notebook_without_a_file_keeps_its_name() -> None:
    assert notebook_text("untitled:Untitled-1.ipynb", cells_of("a"), "cell:0").uri == "untitled:Untitled-1.ipynb"


def _notebook() -> NotebookText:
    return notebook_text(URI, cells_of("a = 1", "!ls\nb = a", "c = b"), "cell:0")


def test_edits_are_sorted_by_cells() -> None:
    notebook = _notebook()
    at = [notebook.text.index(name) for name in ("a = 1", "b = a", "c = b")]
    edits = notebook.cell_edits([Edit(Span(start, start + 1), "x") for start in at])
    assert edits is not None
    assert [(place.uri, [edit.new_text for edit in own]) for place, own in edits.items()] == [
        (f"cell:{number}", ["x"]) for number in range(3)
    ]


def test_a_last_line_that_goes_with_its_end_stays_in_its_cell() -> None:
    edits = _notebook().cell_edits([Edit(Span(0, 6), "a = 2\n")])
    assert edits is not None
    assert list(edits.values()) == [[Edit(Span(0, 5), "a = 2")]]


@pytest.mark.parametrize(
    "edit",
    [
        Edit(Span(0, 12), "x"),  # two cells
        Edit(Span(6, 9), ""),  # the shell line
        Edit(Span(10, 10), "#ls\n"),  # a copy of it
    ],
)
def test_edits_over_cells_and_of_shell_lines_are_refused(edit: Edit) -> None:
    assert _notebook().cell_edits([edit]) is None


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("yearly = ", "yearly;  "),
        ("f(quart", "f;quart"),
        ("if total > :\n    other(1e5, 'name')", "0; total;   \n0;  other;      name; "),
        ("x = (\r\n  y", "x;   \r\n0;y"),
    ],
)
def test_of_another_cell_that_does_not_parse_the_names_stay(written: str, shown: str) -> None:
    notebook = notebook_text(URI, cells_of("a = 1", written, "print(a)"), "cell:2")
    parsed = with_names_of_unparsed(notebook, "cell:2")
    assert parsed.text == f"a = 1\n{shown}\nprint(a)"
    ast.parse(parsed.text)
    assert parsed.unparsed == {"cell:1"}
    span = parsed.places[1].span
    assert parsed.cell_edits([Edit(Span(span.start, span.start + 1), "b")]) is None
    (place,) = parsed.cell_edits([Edit(Span(0, 1), "b")]) or {}
    assert place.uri == "cell:0"


def test_a_cell_that_is_asked_about_stays_as_it_is() -> None:
    notebook = notebook_text(URI, cells_of("a = 1", "b = "), "cell:1")
    assert with_names_of_unparsed(notebook, "cell:1").text == "a = 1\nb = "


@given(st.text("ab=(: 1\t\n\r'#;é\fif", max_size=40))
def test_names_alone_change_no_length_and_no_line(text: str) -> None:
    notebook = notebook_text(URI, cells_of(text, "a"), "cell:1")
    parsed = with_names_of_unparsed(notebook, "cell:1")
    assert len(parsed.text) == len(notebook.text)
    assert parsed.places == notebook.places
    assert parsed.lines.starts == notebook.lines.starts
    if parsed.unparsed:
        ast.parse(parsed.text)
