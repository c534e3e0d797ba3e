"""A notebook as one document: its cells in order, and where each of them stands.

Lines that IPython reads and Python cannot (magics, shell lines, questions) become comments of the same length, so that
neither offsets nor the code around them change. For code actions, other cells that Python cannot parse become the names
that they use.
"""

import ast
import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.snapshot import Snapshot
from spark_lsp.warning_filters import ignored_warnings

CELL_SCHEME: Final = "vscode-notebook-cell"
_PYTHON_CELLS: Final = frozenset({"time", "timeit", "capture", "prun", "debug", "python", "python3", "pypy"})
_CELL_LANGUAGES: Final = {
    "bash": "bash",
    "sh": "bash",
    "script": "bash",
    "ruby": "ruby",
    "perl": "perl",
    "html": "html",
    "svg": "html",
    "javascript": "javascript",
    "js": "javascript",
    "latex": "latex",
    "markdown": "markdown",
    "sql": "sql",
}
_CELL_MAGIC: Final = re.compile(r"\s*%%(\w+)")
_LINE_MAGIC: Final = re.compile(
    r"^(?P<indent>[ \t]*)(?:"
    r"(?P<sign>%{1,2}(?=[A-Za-z_])|!{1,2}(?![=\s])|\?{1,2}(?=[\w%]))"  # %matplotlib inline, !ls, ?name
    r"|(?P<target>[A-Za-z_][\w., \t]*=[ \t]*)(?P<value>%[A-Za-z_]|![^=\s])"  # files = !ls, out = %sql …
    r"|(?P<name>[A-Za-z_][\w.]*)(?P<question>\?{1,2})[ \t\r]*$"  # name?, name??
    r")",
    re.MULTILINE,
)
_WORD: Final = re.compile(r"\w+")
_STATEMENT: Final = "0;"


@dataclass(frozen=True, slots=True)
class CellPlace:
    """Where a cell stands in its notebook's text: its span, and the line that it begins at."""

    uri: str
    version: int
    span: Span
    first_line: int


@dataclass(frozen=True)
class NotebookText(Snapshot):
    """The cells of a notebook as one document."""

    places: tuple[CellPlace, ...] = ()
    written: str = ""
    """The text as the user wrote it, magics and all; as long as ``text``."""
    unparsed: frozenset[str] = frozenset()
    """The cells of which ``text`` holds the names alone."""

    def place_at(self, offset: int) -> CellPlace:
        """Return the cell that an offset is in; what joins two cells belongs to the first."""
        return next((place for place in reversed(self.places) if place.span.start <= offset), self.places[0])

    def place_of(self, uri: str) -> CellPlace | None:
        """Return where a cell stands."""
        return next((place for place in self.places if place.uri == uri), None)

    def cell_edits(self, edits: Sequence[Edit]) -> dict[CellPlace, list[Edit]] | None:
        """Return edits of this text by the cells that they are in.

        None where one of them reaches over several cells, is in one that does not parse, or changes or copies what only
        IPython reads.
        """
        lines = zip(self.text.splitlines(), self.written.splitlines(), strict=True)
        hidden = {shown.strip() for shown, line in lines if shown != line}
        by_cell: dict[CellPlace, list[Edit]] = {}
        for edit in edits:
            place, span, text = self.place_at(edit.span.start), edit.span, edit.new_text
            if span.end == place.span.end + 1:  # what joins the cells is in neither
                span, text = Span(span.start, place.span.end), text.removesuffix("\n")
            is_copied = any(line.strip() in hidden for line in text.splitlines())
            is_hidden = place.uri in self.unparsed or span.text(self.text) != span.text(self.written)
            if span.end > place.span.end or is_copied or is_hidden:
                return None
            by_cell.setdefault(place, []).append(Edit(span, text))
        return by_cell


def notebook_text(notebook_uri: str, cells: Sequence[Snapshot], uri: str, offset: int | None = None) -> NotebookText:
    """Return the notebook around one of its cells: the cells in the same language, in order.

    The line of ``offset``, where the cursor is in that cell, stays as it is written, whatever it is.
    """
    current = next(cell for cell in cells if cell.uri == uri)
    language = language_of_cell(current)
    parts: list[str] = []
    written: list[str] = []
    places: list[CellPlace] = []
    start = line = 0
    for cell in cells:
        if language_of_cell(cell) != language or (language not in {"python", current.language} and cell.uri != uri):
            continue
        text = masked(cell.text, offset if cell.uri == uri else None) if language == "python" else cell.text
        places.append(CellPlace(cell.uri, cell.version, Span(start, start + len(text)), line))
        ends_in_return = text.endswith("\r")  # with a line feed behind it that would be one line end
        separator = "\r" if ends_in_return else "\n"
        parts += [text, separator]
        written += [cell.text, separator]
        start += len(text) + 1
        line += len(cell.lines)
    version = sum(cell.version for cell in cells)
    text, shown = "".join(parts[:-1]), "".join(written[:-1])
    return NotebookText(_own_uri(notebook_uri), None, version, language, text, tuple(places), shown)


def with_names_of_unparsed(notebook: NotebookText, uri: str) -> NotebookText:
    """Return a notebook whose other Python cells parse: of one that does not, only the names that it uses stay.

    The cell ``uri`` stays as it is. Takes as long as a parse of the notebook.
    """
    if notebook.language != "python" or _parses(notebook.text):
        return notebook
    text, unparsed = notebook.text, set()
    for place in notebook.places:
        cell = place.span.text(text)
        names = _names_alone(cell)
        if place.uri != uri and not _parses(cell) and _parses(names):
            text = text[: place.span.start] + names + text[place.span.end :]
            unparsed.add(place.uri)
    return replace(notebook, text=text, unparsed=frozenset(unparsed))


def _names_alone(cell: str) -> str:
    """Return a text of the same length and lines that uses each name of a cell and does nothing else."""
    lines = []
    for line in cell.splitlines(keepends=True):
        content = line.rstrip("\r\n")
        shown = [" "] * len(content)
        for word in _WORD.finditer(content):
            name = word[0]
            if not name.isidentifier() or keyword.iskeyword(name):
                continue
            shown[word.start() : word.end()] = name
            if word.end() < len(content):
                shown[word.end()] = ";"
        text = "".join(shown)
        first = len(text) - len(text.lstrip())
        if first >= len(_STATEMENT) and text.strip():  # so nothing is indented
            text = _STATEMENT + text[len(_STATEMENT) :]
        lines.append(text + line[len(content) :])
    return "".join(lines)


def _parses(text: str) -> bool:
    try:
        with ignored_warnings():
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def language_of_cell(cell: Snapshot) -> str:
    """Return the language that a cell is written in, which a magic on its first line may change."""
    magic = _CELL_MAGIC.match(cell.text) if cell.language == "python" else None
    if magic is None or magic[1] in _PYTHON_CELLS:
        return cell.language
    return _CELL_LANGUAGES.get(magic[1], "plaintext")


def masked(text: str, offset: int | None = None) -> str:
    """Return a cell's text with what only IPython reads made comments of the same length, but for an offset's line."""
    if not ("%" in text or "!" in text or "?" in text):
        return text

    def comment(match: re.Match[str]) -> str:
        end = text.find("\n", match.end())
        if offset is not None and match.start() <= offset <= (end if end >= 0 else len(text)):
            return match[0]
        if match["sign"]:
            return f"{match['indent']}#{match['sign'][1:]}"
        if match["target"]:
            return f"{match['indent']}{match['target']}0#"
        tail = match[0][match.end("name") - match.start() + len(match["question"]) :]
        return f"{match['indent']}{match['name']}{'#' * len(match['question'])}{tail}"

    return _LINE_MAGIC.sub(comment, text)


def _own_uri(notebook_uri: str) -> str:
    """Return the URI that names a notebook everywhere; one of a file has the scheme of its cells."""
    parts = urlsplit(notebook_uri)
    return f"{CELL_SCHEME}:{quote(unquote(parts.path))}" if parts.scheme in {"file", CELL_SCHEME} else notebook_uri
