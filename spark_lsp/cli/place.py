"""Positions on the command line: ``FILE:LINE:COL``, 1-based, columns in code points, as compilers print them."""

import codecs
import io
import re
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path

from spark_lsp.errors import WorkspaceError
from spark_lsp.text.edit import Span
from spark_lsp.text.language import language_of_path
from spark_lsp.text.snapshot import LineTable, Snapshot

PROJECT_MARKERS = (
    ".git", "pyproject.toml", "package.json", "go.mod", "Cargo.toml", "pom.xml", "build.gradle", "CMakeLists.txt",
    "setup.py", "tsconfig.json", ".spark-lsp.toml",
)  # fmt: skip

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+)(?:-(?P<end_line>\d+):(?P<end_column>\d+))?$")


@dataclass(frozen=True, slots=True)
class FileSpan:
    """A span of a file's text; empty for a cursor."""

    snapshot: Snapshot
    span: Span
    encoding: str = "utf-8"
    """Of the file on disk; empty where its bytes are no text in an encoding that is known, so it is not written."""


def read_place(text: str, *, from_stdin: bool = False) -> FileSpan:
    """Read a place and the file that it names; with ``from_stdin`` the text comes from standard input instead.

    Raises:
        WorkspaceError: no such file, not text, or the place is outside it.
    """
    match = _PLACE.match(text)
    if match is None:
        raise WorkspaceError(f"{text!r} is not a position.", fix="Write FILE:LINE:COL; lines and columns start at 1.")
    path = Path(match["file"]).expanduser().resolve()
    data = sys.stdin.buffer.read() if from_stdin else _read(path)
    source, encoding = decode(data, path)
    language = language_of_path(path)
    snapshot = Snapshot(path.as_uri(), path, 0, language.name if language else "plaintext", source)
    start = _offset(snapshot, int(match["line"]), int(match["column"]))
    end = _offset(snapshot, int(match["end_line"]), int(match["end_column"])) if match["end_line"] else start
    return FileSpan(snapshot, Span(min(start, end), max(start, end)), encoding)


def workspace_of(path: Path, given: Path | None) -> Path:
    """Return the workspace: the given folder, or the nearest one above the file with a project marker."""
    if given is not None:
        if not given.expanduser().is_dir():
            raise WorkspaceError(f"There is no folder {given}.", fix="Give --workspace an existing folder.")
        return given.expanduser().resolve()
    start = path if path.is_dir() else path.parent
    for folder in (start, *start.parents):
        if any((folder / marker).exists() for marker in PROJECT_MARKERS):
            return folder
    return start


def decode(data: bytes, path: Path) -> tuple[str, str]:
    """Return a file's text and its encoding: UTF-8, or what a Python file declares (PEP 263).

    The encoding is empty where the text would not give the same bytes again; such a text is only for reading.
    """
    has_mark = data.startswith(codecs.BOM_UTF8)  # no part of the text: editors do not show it, compilers pass over it
    encoding = "utf-8-sig" if has_mark else "utf-8"
    if path.suffix in {".py", ".pyi", ".pyw"} and not has_mark:
        try:
            encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
        except SyntaxError:  # an unknown encoding, or bytes that are not UTF-8
            return data.decode("utf-8", "replace"), ""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), ""
    return text, encoding if text.encode(encoding) == data else ""


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise WorkspaceError(f"There is no file {path}.", fix="Name an existing file, or use --stdin.") from error
    except OSError as error:
        raise WorkspaceError(f"{path} cannot be read: {error.strerror}.") from error
    if b"\0" in data[:100_000]:
        raise WorkspaceError(f"{path} is a binary file.", fix="Name a text file.")
    return data


def _offset(snapshot: Snapshot, line: int, column: int) -> int:
    lines: LineTable = snapshot.lines
    if not 1 <= line <= len(lines):
        raise WorkspaceError(
            f"Line {line} is outside {snapshot.path}, which has {len(lines)} lines.", fix="Lines start at 1."
        )
    span = lines.span(line - 1)
    if not 1 <= column <= len(span) + 1:
        raise WorkspaceError(
            f"Column {column} is outside line {line} of {snapshot.path}, which has {len(span)} characters.",
            fix="Columns start at 1; the column after the last character is the end of the line.",
        )
    return span.start + column - 1
