"""Symbols of every language, compared with a listing beside the sample; then the edges, told inline."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.harness.fixture import parse_fixture
from spark_lsp.index.parse.symbols import EMPTY, FileSymbols, definition_at, extract, symbols_of
from spark_lsp.text.language import LANGUAGES, language_of_path, query
from spark_lsp.text.reserved import RESERVED
from spark_lsp.text.syntax import parse
from tests.support.expect import expect, expect_file

SAMPLES = Path(__file__).parents[1] / "fixtures" / "symbols"


def listing(symbols: FileSymbols, text: str) -> str:
    """One line per definition: kind, qualified name, first and last line, signature; then uses and imports."""
    lines = []
    for definition in symbols.definitions:
        first = text.count("\n", 0, definition.span.start) + 1
        last = text.count("\n", 0, definition.span.end) + 1
        signature = definition.signature_span.text(text).replace("\n", "⏎")
        lines.append(f"{definition.kind} {definition.qualified_name} {first}-{last} | {signature}")
    uses = " ".join(f"{name}:{count}" for name, count in sorted(symbols.references.items()))
    imports = [f"import {imported.module} [{', '.join(imported.names)}]" for imported in symbols.imports]
    return "\n".join([*lines, f"uses {uses}", *imports])


def check_symbols(source: str, expected: str, path: str = "main.py") -> None:
    fixture = parse_fixture(source, default_path=path)
    expect(listing(extract(language_of_path(fixture.path), fixture.text), fixture.text), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", LANGUAGES)
def test_every_language_against_its_sample(name: str) -> None:
    samples = list(SAMPLES.glob(f"{name}.[a-z]*"))
    source = next(path for path in samples if path.suffix in LANGUAGES[name].extensions)
    text = source.read_text("utf-8")
    expect_file(listing(extract(LANGUAGES[name], text), text), SAMPLES / f"{name}.expected")


@pytest.mark.slow
@pytest.mark.parametrize("name", LANGUAGES)
def test_uses_hold_what_the_references_query_finds(name: str) -> None:
    """Uses are counted by words, for speed; the query says what they have to be."""
    source = next(path for path in SAMPLES.glob(f"{name}.[a-z]*") if path.suffix in LANGUAGES[name].extensions)
    syntax = parse(LANGUAGES[name], source.read_text("utf-8"))
    assert syntax is not None
    asked = query(LANGUAGES[name], "references")
    assert asked is not None
    counts = syntax.count_texts(asked, "reference")
    counted = symbols_of(syntax)
    defined = Counter(definition.name for definition in counted.definitions)
    missing = {
        word: count
        for word, count in counts.items()
        if word not in RESERVED[name]
        and counted.references.get(word.rstrip("?"), 0) < count - defined[word.rstrip("?")]
    }
    assert missing == {}


@pytest.mark.parametrize("name", LANGUAGES)
def test_comments_and_strings_of_every_language(name: str) -> None:
    source = next(path for path in SAMPLES.glob(f"{name}.[a-z]*") if path.suffix in LANGUAGES[name].extensions)
    syntax = parse(LANGUAGES[name], source.read_text("utf-8"))
    assert syntax is not None
    asked = query(LANGUAGES[name], "comments")
    assert asked is not None
    kinds = {kind for _, captures in syntax.matches(asked) for kind in captures}
    assert {"comment", "string"} <= kinds
    regions = {syntax.region_at(offset) for offset in range(len(syntax.text))}
    assert regions == {"code", "comment", "string"}
    blanked = syntax.code_only(syntax.matches(asked)).decode()
    assert "words" not in blanked


def test_a_python_signature_keeps_decorators_and_leaves_the_docstring_out() -> None:
    check_symbols(
        """
        @cache
        def area(width: int,
                 height: int = 1) -> int:
            '''Return the area.'''
            return width * height
        """,
        """
        function area 1-5 | @cache⏎def area(width: int,⏎         height: int = 1) -> int:
        uses cache:1 height:2 int:3 width:2
        """,
    )


def test_a_field_belongs_to_its_class_and_is_listed_once() -> None:
    check_symbols(
        """
        class Box:
            def __init__(self): self.side = 1
            def grow(self): self.side = 2
        """,
        """
        class Box 1-3 | class Box:
        method Box.__init__ 2-2 | def __init__(self):
        field Box.side 2-2 | self.side = 1
        method Box.grow 3-3 | def grow(self):
        uses self:4 side:1
        """,
    )


def test_a_long_constant_shows_its_first_lines() -> None:
    table = "TABLE = {\n" + "".join(f"    {n}: {n},\n" for n in range(50)) + "}\n"
    (definition,) = extract(LANGUAGES["python"], table).definitions
    assert definition.signature_span.text(table) == "TABLE = {\n    0: 0,\n    1: 1,"
    assert definition.span.text(table) == table.rstrip("\n")


def test_broken_code_yields_what_still_parses() -> None:
    check_symbols(
        """
        def whole(): return 1
        def broken(:
            x = (
        class After:
            pass
        """,
        """
        function whole 1-1 | def whole():
        uses After:1 broken:1 x:1
        """,
    )


def test_names_and_spans_after_characters_of_several_bytes() -> None:
    check_symbols(
        """
        größe = "😀"
        def läuft(ä): return größe
        """,
        """
        variable größe 1-1 | größe = "😀"
        function läuft 2-2 | def läuft(ä):
        uses größe:1 ä:1
        """,
    )


def test_plain_text_and_an_empty_text_have_no_symbols() -> None:
    assert extract(None, "def f(): pass") == EMPTY
    assert extract(LANGUAGES["python"], "") == EMPTY


@pytest.mark.parametrize(
    ("marked", "name"),
    [
        ("class A:\n    def f(self):\n        retu$0rn 1\n", "A.f"),
        ("class A:\n    x$0 = 1\n", "A.x"),
        ("class A:\n    pass\n$0\nb = 1\n", None),
        ("@deco$0rated\ndef f(): pass\n", "f"),
    ],
)
def test_the_innermost_definition_around_an_offset(marked: str, name: str | None) -> None:
    fixture = parse_fixture(marked)
    definition = definition_at(extract(LANGUAGES["python"], fixture.text), fixture.offset)
    assert (definition.qualified_name if definition else None) == name


@given(
    st.sampled_from(sorted(LANGUAGES)),
    st.lists(
        st.sampled_from(
            [
                "def f",
                "class A",
                "(",
                ")",
                ":",
                "{",
                "}",
                "\n",
                "    ",
                " = ",
                "é",
                "😀",
                "\ud800",
                '"',
                "import x",
                ";",
            ]
        )
    ),
)
def test_any_text_yields_spans_inside_it(name: str, pieces: list[str]) -> None:
    text = "".join(pieces)
    symbols = extract(LANGUAGES[name], text)
    for definition in symbols.definitions:
        assert definition.span.end <= len(text)
        assert definition.span.start == definition.signature_span.start
        assert definition.signature_span.end <= definition.span.end
    assert list(symbols.definitions) == sorted(symbols.definitions, key=lambda definition: definition.span.start)
    assert all(count > 0 for count in symbols.references.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", LANGUAGES)
def test_ten_thousand_brackets_are_survived(name: str) -> None:
    extract(LANGUAGES[name], "(" * 10_000 + "x" + ")" * 10_000)
    extract(LANGUAGES[name], "{" * 10_000)
