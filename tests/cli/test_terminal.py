"""Output of the command line cannot control the terminal, and written files keep their encoding."""

import ast
import io
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from spark_lsp.actions.base import FileEdits, Proposal
from spark_lsp.cli import actions, terminal
from spark_lsp.cli.place import FileSpan, decode, read_place
from spark_lsp.errors import WorkspaceError
from spark_lsp.text.edit import Edit, Span
from spark_lsp.text.printable import printable
from spark_lsp.text.snapshot import Snapshot
from tests.repo.source import ROOT, report

NASTY = "\x1b]0;PWNED\x07\x1b[31mred\x9b31m\u202eevil\u2066\x00\x7f\r\udc9b\u2028"
ALLOWED = {"\n", "\t"}


def controls(text: str) -> list[str]:
    """Return characters that may move a cursor, reorder a line or break an encoder."""
    bidi = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return [
        char
        for char in text
        if char not in ALLOWED
        and (unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(char) in bidi)
    ]


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_keeps_a_control_character(text: str) -> None:
    assert controls(printable(text)) == []


def test_ordinary_text_stays() -> None:
    text = "def f():\n\treturn 'Schöne Grüße, 表示, שלום 👩‍💻'\n"
    assert printable(text) == text
    assert printable("a\r\nb\rc\x1b") == "a\nb\\x0dc\\x1b"


def test_texts_and_consoles_spell_controls_out(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.out(f"{NASTY}\n")
    terminal.err(f"{NASTY}\n")
    console = terminal.console()
    console.print(NASTY, soft_wrap=True)
    console.print(f"[bold]{NASTY}[/nothing]", soft_wrap=True)  # a file may have this name; it is no markup here
    table = Table(NASTY, title=NASTY)
    table.add_row(NASTY)
    console.print(table)
    terminal.console(stderr=True).print(NASTY, style="bold")
    done = capsys.readouterr()
    assert controls(done.out + done.err) == []
    assert done.out.count("PWNED") >= 5
    assert "[bold]" in done.out


def test_json_keeps_the_text_and_no_control(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.out_json({"path": NASTY, "ü": "שלום"})
    text = capsys.readouterr().out
    assert controls(text) == []
    assert json.loads(text) == {"path": NASTY, "ü": "שלום"}


def test_nothing_is_printed_in_another_way() -> None:
    """Every command is checked: a new command that prints on its own fails here."""
    faults = []
    for path in sorted((ROOT / "spark_lsp" / "cli").glob("*.py")):
        if path.name == "terminal.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in {"sys.stdout.write", "sys.stderr.write", "typer.echo", "typer.secho", "print", "Console"}:
                faults.append(f"{path.name}:{node.lineno}: {called}; use spark_lsp.cli.terminal")
    report(faults)


# -- files that are written -------------------------------------------------------------------------------------------

TEXT = '{cookie}NAME = "{name}"\n\nrate = 7\nprint(rate)\n'


@pytest.mark.parametrize(
    ("name", "data", "encoding"),
    [
        ("a.py", TEXT.format(cookie="# -*- coding: latin-1 -*-\n", name="Grüße").encode("latin-1"), "iso-8859-1"),
        (
            "a.py",
            TEXT.format(cookie="# vim: set fileencoding=shift_jis :\n", name="表示").encode("shift_jis"),
            "shift_jis",
        ),
        ("a.py", TEXT.format(cookie="", name="Grüße").encode("utf-8"), "utf-8"),
        ("a.py", TEXT.format(cookie="", name="Grüße").encode("utf-8-sig"), "utf-8-sig"),
        ("a.py", TEXT.format(cookie="", name="Grüße").encode("latin-1"), ""),
        ("a.py", TEXT.format(cookie="# coding: none-such\n", name="a").encode(), ""),
        ("a.js", TEXT.format(cookie="// ", name="Grüße").encode("cp1252"), ""),
        ("a.js", TEXT.format(cookie="// coding: latin-1\n", name="Grüße").encode("utf-8"), "utf-8"),
    ],
)
def test_the_encoding_of_a_file(name: str, data: bytes, encoding: str) -> None:
    text, read_encoding = decode(data, Path(name))
    assert read_encoding == encoding
    assert not encoding or text.encode(encoding) == data


def written(path: Path, old: str, new: str, *files: FileEdits) -> bytes:
    """Apply an edit to a file as ``actions --write`` does; return its bytes."""
    where = read_place(f"{path}:1:1")
    at = where.snapshot.text.index(old)
    proposal = Proposal("test", (Edit(Span(at, at + len(old)), new),), files=files)
    actions._show_proposal(proposal, where, path.parent, write=True, as_json=True)
    return path.read_bytes()


def test_a_file_keeps_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "preis.py"
    path.write_bytes(TEXT.format(cookie="# coding: latin-1\n", name="Grüße").encode("latin-1"))
    assert written(path, "rate = 7", 'rate = "ü"') == path.read_bytes()
    assert path.read_bytes() == TEXT.format(cookie="# coding: latin-1\n", name="Grüße").replace("= 7", '= "ü"').encode(
        "latin-1"
    )


@pytest.mark.parametrize(
    ("data", "new", "fault"),
    [
        (b"# caf\xe9\nrate = 7\n", "rate = 8", "is not UTF-8"),
        (b"# coding: latin-1\n# caf\xe9\nrate = 7\n", "rate = '\u8868'", "iso-8859-1"),
    ],
)
def test_what_cannot_keep_its_encoding_is_not_written(tmp_path: Path, data: bytes, new: str, fault: str) -> None:
    path, other_path = tmp_path / "log.py", tmp_path / "other.py"
    path.write_bytes(data)
    other_path.write_bytes(b"x = 1\n")
    with pytest.raises(WorkspaceError, match=fault):
        written(path, "rate = 7", new, FileEdits("other.py", "x = 1\n", (Edit(Span(4, 5), "2"),)))
    assert path.read_bytes() == data
    assert other_path.read_bytes() == b"x = 1\n"


def test_another_file_that_changed_meanwhile_stops_all(tmp_path: Path) -> None:
    path, other_path = tmp_path / "a.py", tmp_path / "other.py"
    path.write_bytes(b"rate = 7\n")
    other_path.write_bytes(b"# caf\xe9\nx = 1\n")
    edits = FileEdits("other.py", "# caf\ufffd\nx = 1\n", (Edit(Span(0, 0), "y"),))
    with pytest.raises(WorkspaceError, match="is not UTF-8"):
        written(path, "rate", "price", edits)
    other_path.write_bytes(b"x = 2\n")
    with pytest.raises(WorkspaceError, match="has changed"):
        written(path, "rate", "price", FileEdits("other.py", "x = 1\n", (Edit(Span(0, 0), "y"),)))
    assert path.read_bytes() == b"rate = 7\n"
    assert written(path, "rate", "price", FileEdits("new.py", None, (Edit(Span(0, 0), "y = 1\n"),))) == b"price = 7\n"
    assert (tmp_path / "new.py").read_bytes() == b"y = 1\n"


def test_a_place_on_standard_input_is_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"# caf\xe9\nx\n")))
    place = read_place(f"{path}:2:1", from_stdin=True)
    assert (place.snapshot.text, place.encoding) == ("# caf\ufffd\nx\n", "")
    assert FileSpan(Snapshot("", None, 0, "python", ""), Span(0, 0)).encoding == "utf-8"
