"""Ranges of items are valid in every encoding: an editor that counts bytes or UTF-16 units makes the same document."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from spark_lsp.completion.cursor_context import CursorContext
from spark_lsp.completion.postprocess.pipeline import Terms, postprocess
from spark_lsp.completion.selected_item import behind_item
from spark_lsp.server.convert import to_offset, to_range
from spark_lsp.text.edit import Span
from tests.support.workspace import snapshot_of

pytestmark = pytest.mark.slow

PIECES = st.sampled_from(
    ["x = call(", ")", "]", '"', "a, b)", "\n", "\r\n", "\r", "\t", "    ", "\U0001f600", "e\u0301", "日本", "\u200d",
     "def f():", "value", " ", "\u2028", "\x0c"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)
ENCODINGS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
LINE_END = re.compile(r"\r\n|\n|\r")  # the specification's three


def _as_editor(text: str, place: types.Range, encoding: str, new: str) -> str:
    """Replace a range as an editor does that holds each line in the negotiated encoding; strict: units never split."""
    codec, size = ENCODINGS[encoding]
    starts = [0, *(match.end() for match in LINE_END.finditer(text))]
    ends = [*(match.start() for match in LINE_END.finditer(text)), len(text)]

    def offset(position: types.Position) -> int:
        line = text[starts[position.line] : ends[position.line]].encode(codec)
        assert position.character * size <= len(line)
        return starts[position.line] + len(line[: position.character * size].decode(codec))

    return text[: offset(place.start)] + new + text[offset(place.end) :]


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(before=TEXTS, after=TEXTS, answer=TEXTS)
@settings(max_examples=150, deadline=None)
def test_an_editor_of_any_encoding_makes_the_same_document(encoding: str, before: str, after: str, answer: str) -> None:
    if before.endswith("\r") and after.startswith("\n"):
        after = after.lstrip("\n")  # no cursor stands within a line end
    snapshot = snapshot_of("main.py", before + after)
    cursor = CursorContext(snapshot, len(before))
    processed = postprocess(cursor, answer, [], Terms(4), finished=True)
    assert 0 <= processed.replaced <= len(cursor.line_suffix)
    place = to_range(snapshot.text, snapshot.lines, Span(cursor.offset, cursor.offset + processed.replaced), encoding)
    result = _as_editor(snapshot.text, place, encoding, processed.text)
    assert result == before + processed.text + after[processed.replaced :]
    assert to_offset(snapshot.text, snapshot.lines, place.start, encoding) == cursor.offset


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(before=TEXTS, typed=TEXTS, behind=TEXTS, after=TEXTS, selected=TEXTS, answer=TEXTS)
@settings(max_examples=150, deadline=None)
def test_nor_does_an_entry_of_the_menu_change_that(
    encoding: str, before: str, typed: str, behind: str, after: str, selected: str, answer: str
) -> None:
    before, typed, behind = (part.removesuffix("\r") for part in (before, typed, behind))  # no range ends within CRLF
    snapshot = snapshot_of("main.py", before + typed + behind + after)
    plain = CursorContext(snapshot, len(before + typed))
    chosen = to_range(snapshot.text, snapshot.lines, Span(len(before), len(before + typed + behind)), encoding)
    start, end = (to_offset(snapshot.text, snapshot.lines, edge, encoding) for edge in (chosen.start, chosen.end))
    cursor = behind_item(plain, start, end, selected)
    processed = postprocess(cursor, answer, [], Terms(4), finished=True)
    edit = cursor.edit(processed.text, processed.replaced)
    place = to_range(cursor.document.text, cursor.document.lines, edit.span, encoding)
    result = _as_editor(snapshot.text, place, encoding, edit.new_text)
    assert result == cursor.prefix + processed.text + cursor.suffix[processed.replaced :]
    if cursor.selected is None:
        assert (bool(cursor.ignored_reason), cursor.snapshot) == (True, snapshot)
        return
    assert place.start == chosen.start
    assert (place.end.line, place.end.character) >= (chosen.end.line, chosen.end.character)
    assert edit.new_text.startswith(selected)
