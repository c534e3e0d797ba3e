"""LSP positions to offsets and back, in the negotiated encoding; the only place where ``line`` and ``character`` live.

Positions outside the document are clamped as the specification says; they never raise.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

import numpy as np
from lsprotocol import types

from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.notebook import NotebookText
from spark_lsp.text.snapshot import LineTable, Snapshot

Encoding = types.PositionEncodingKind | str
_DRIVE = re.compile(r"/([A-Za-z])[:|](?=/|$)")
MAX_NUMBER = 2**31 - 1
"""The largest number that LSP knows."""


def path_of(uri: str) -> Path | None:
    """Return the path of a ``file:`` URI, or None for any other and for a file of another machine.

    Only Windows has paths for those (UNC).
    """
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return None
    if parts.netloc.lower() in {"", "localhost"}:
        return Path(url2pathname(parts.path))
    return Path(url2pathname(f"//{parts.netloc}{parts.path}")) if os.name == "nt" else None


def document_key(uri: str) -> str:
    """Return what two names of one document have in common: editors differ in escapes and in a drive's letter case."""
    parts = urlsplit(uri)
    path = unquote(parts.path)
    drive = _DRIVE.match(path)
    path = f"/{drive[1].lower()}:{path[drive.end() :]}" if drive else path
    return parts._replace(path=quote(path)).geturl() if parts.scheme == "file" else uri


def to_offset(text: str, lines: LineTable, position: types.Position, encoding: Encoding) -> int:
    """Return the code-point offset of a position; past a line's end means the line's end."""
    if position.line < 0:
        return 0
    if position.line >= len(lines):
        return len(text)
    span = lines.span(position.line)
    return span.start + _code_points(span.text(text), max(0, position.character), encoding)


def to_position(text: str, lines: LineTable, offset: int, encoding: Encoding) -> types.Position:
    """Return the position of an offset."""
    line = lines.line_of(offset)
    head = text[lines.starts[line] : min(offset, lines.ends[line])]
    return types.Position(line, units(head, encoding))


def to_span(snapshot: Snapshot, place: types.Range, encoding: Encoding) -> Span:
    """Return the span of a range; an inverted range is put in order."""
    start = to_offset(snapshot.text, snapshot.lines, place.start, encoding)
    end = to_offset(snapshot.text, snapshot.lines, place.end, encoding)
    return Span(min(start, end), max(start, end))


def to_range(text: str, lines: LineTable, span: Span, encoding: Encoding) -> types.Range:
    """Return the range of a span."""
    return types.Range(to_position(text, lines, span.start, encoding), to_position(text, lines, span.end, encoding))


def offset_of(snapshot: Snapshot, uri: str, position: types.Position, encoding: Encoding) -> int:
    """Return the offset of a position that an editor gives for a document or, by its own URI, for a notebook's cell."""
    place = snapshot.place_of(uri) if isinstance(snapshot, NotebookText) else None
    if place is None:
        return to_offset(snapshot.text, snapshot.lines, position, encoding)
    shifted = types.Position(max(0, position.line) + place.first_line, position.character)
    offset = to_offset(snapshot.text, snapshot.lines, shifted, encoding)
    return min(max(offset, place.span.start), place.span.end)


def span_of(snapshot: Snapshot, uri: str, place: types.Range, encoding: Encoding) -> Span:
    """Return the span of a range that an editor gives, see ``offset_of``; an inverted one is put in order."""
    ends = (offset_of(snapshot, uri, position, encoding) for position in (place.start, place.end))
    start, end = sorted(ends)
    return Span(start, end)


def range_in_editor(snapshot: Snapshot, span: Span, encoding: Encoding) -> types.Range:
    """Return the range of a span as the editor counts it: in a notebook, within the cell that the span begins in."""
    place = to_range(snapshot.text, snapshot.lines, span, encoding)
    if not isinstance(snapshot, NotebookText):
        return place
    first = snapshot.place_at(span.start).first_line
    start, end = (types.Position(end.line - first, end.character) for end in (place.start, place.end))
    return types.Range(start, end)


def position_in(params: Mapping[str, Any]) -> types.Position:
    """Return the ``position`` of a message of our own; what is missing or no number counts as 0."""
    return _position(params.get("position"))


def range_in(value: Mapping[str, Any]) -> types.Range | None:
    """Return the ``range`` of a part of a message of our own; None where it has no start or no end."""
    place = value.get("range")
    if not isinstance(place, Mapping) or "start" not in place or "end" not in place:
        return None
    return types.Range(_position(place["start"]), _position(place["end"]))


def selected_in(context: Mapping[str, Any]) -> types.SelectedCompletionInfo | None:
    """Return the entry that is chosen in the menu, of a message of our own; without a range or a text it is empty."""
    selected = context.get("selectedCompletionInfo")
    if selected is None:
        return None
    selected = selected if isinstance(selected, Mapping) else {}
    place, text = selected.get("range"), selected.get("text")
    place = place if isinstance(place, Mapping) else {}
    is_whole = isinstance(text, str) and "start" in place and "end" in place
    covered = types.Range(_position(place.get("start")), _position(place.get("end")))
    return types.SelectedCompletionInfo(covered, text if isinstance(text, str) and is_whole else "")


def _position(place: Any) -> types.Position:
    place = place if isinstance(place, Mapping) else {}
    line, character = (value if isinstance(value := place.get(name), int) else 0 for name in ("line", "character"))
    return clamped_position(line, character)


def clamped_position(line: int, character: int) -> types.Position:
    """Return a position of two numbers that a message holds; what LSP cannot express is the nearest that it can."""
    return types.Position(*(min(max(number, 0), MAX_NUMBER) for number in (line, character)))


def uri_in(params: Mapping[str, Any]) -> str:
    """Return the document's URI of a message of our own; empty when it names none."""
    document = params.get("textDocument")
    return str(document.get("uri", "")) if isinstance(document, Mapping) else ""


def range_as_json(text: str, lines: LineTable, span: Span) -> dict[str, dict[str, int]]:
    """Return the range of a span in UTF-16 units, as plain values for the command line."""
    place = to_range(text, lines, span, types.PositionEncodingKind.Utf16)
    return {
        "start": {"line": place.start.line, "character": place.start.character},
        "end": {"line": place.end.line, "character": place.end.character},
    }


def units(text: str, encoding: Encoding) -> int:
    """Return the length of a text in the units of the encoding."""
    if encoding == types.PositionEncodingKind.Utf32 or text.isascii():
        return len(text)
    if encoding == types.PositionEncodingKind.Utf8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def changed(text: str, changes: list[types.TextDocumentContentChangeEvent], encoding: Encoding) -> str:
    """Apply content changes in order, each relative to the text after the one before."""
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangePartial):
            snapshot = Snapshot("", None, 0, "", text)
            text = apply_edits(text, [Edit(to_span(snapshot, change.range, encoding), change.text)])
        else:
            text = change.text
    return text


def _code_points(line: str, count: int, encoding: Encoding) -> int:
    """Return how many code points of a line the first ``count`` units are; a unit inside one rounds down to it."""
    if encoding == types.PositionEncodingKind.Utf32 or line.isascii():
        return min(count, len(line))
    # Counted, not decoded: a lone surrogate is a unit like any other, and decoders drop it.
    points = np.frombuffer(line.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    widths = 1 + (points >= 0x10000).astype(np.int64)
    if encoding == types.PositionEncodingKind.Utf8:
        widths += (points >= 0x80).astype(np.int64) + (points >= 0x800)
    return int(np.searchsorted(np.cumsum(widths), count, side="right"))
