"""Changes of a document against a model of the text in the client's own units, lone surrogates included."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from spark_lsp.server.convert import changed, to_offset, to_position
from spark_lsp.text.snapshot import LineTable

CHARACTERS = st.sampled_from(["a", "é", "\u4e2d", "\U0001f600", "\ud800", "\udc00", "\n", "\r\n", "\r", "\t"])
TEXTS = st.lists(CHARACTERS, max_size=12).map("".join)
CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def _width(char: str, encoding: str) -> int:
    codec, size = CODECS[encoding]
    return len(char.encode(codec, "surrogatepass")) // size


def _position(text: str, offset: int, encoding: str) -> types.Position:
    """The position of a code point as an editor counts it, character by character."""
    line = character = 0
    for number, char in enumerate(text[:offset]):
        if char == "\n" or (char == "\r" and text[number + 1 : number + 2] != "\n"):
            line, character = line + 1, 0
        else:
            character += _width(char, encoding)
    return types.Position(line, character)


@pytest.mark.parametrize("encoding", CODECS)
@given(text=TEXTS, edits=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), TEXTS), max_size=4))
@settings(max_examples=300, deadline=None)
def test_edits_land_where_the_editor_makes_them(
    encoding: str, text: str, edits: list[tuple[float, float, str]]
) -> None:
    ours = text
    for first, second, new in edits:
        start, end = sorted(round(share * len(text)) for share in (first, second))
        if any(text[at - 1 : at + 1] == "\r\n" for at in (start, end) if at):
            continue  # no editor puts a cursor there
        place = types.Range(_position(text, start, encoding), _position(text, end, encoding))
        ours = changed(ours, [types.TextDocumentContentChangePartial(place, new)], encoding)
        text = text[:start] + new + text[end:]
        assert ours == text


@pytest.mark.parametrize("encoding", CODECS)
@given(text=TEXTS)
@settings(max_examples=200, deadline=None)
def test_every_offset_survives_the_way_there_and_back(encoding: str, text: str) -> None:
    lines = LineTable.of(text)
    for offset in range(len(text) + 1):
        if text[offset - 1 : offset + 1] == "\r\n" and offset:
            continue
        assert to_offset(text, lines, to_position(text, lines, offset, encoding), encoding) == offset


def test_a_lone_surrogate_is_one_unit() -> None:
    place = types.Range(types.Position(0, 2), types.Position(0, 2))
    change = types.TextDocumentContentChangePartial(place, "X")
    assert changed("\ud800abc", [change], "utf-16") == "\ud800aXbc"
