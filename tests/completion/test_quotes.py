"""Quotes, brackets and multi-line strings follow the rules of the language around them."""

import pytest

from spark_lsp.completion.brackets import imbalance
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.quotes import ANY_QUOTES, closer_at, lines_in_string, quotes_of
from tests.completion.check import completed, inserted

SIGNATURES = {
    "a.rs": ("trait Pick {\n    fn pick<'a>(&'a self, key: &'a str$0\n}\n", ") -> &'a str;"),
    "b.rs": ("fn f(x: char) -> bool {\n    'outer: loop {\n        check(x == '('$0\n    }\n}\n", ");"),
    "c.rs": ("fn f(x: char) -> bool {\n    x.eq(&'\\''$0\n}\n", ")"),
    "d.cpp": ("int f() {\n    return g(1'000$0;\n}\n", ", 2'000)"),
    "e.c": ("int f(int c) {\n    return g(c == '('$0;\n}\n", ")"),
    "f.swift": ("func f() {\n    // don't\n    g(1$0\n}\n", ")  // isn't"),
    "g.scala": ("object A {\n  val x = f('name$0\n}\n", ", 'other)"),
    "h.scala": ("object A {\n  val x = f('('$0\n}\n", ")"),
    "i.java": ("class A {\n    int f(char c) {\n        return g(c == '('$0;\n    }\n}\n", ")"),
    "j.kt": ("fun f(c: Char): Int {\n    return g(c == '('$0\n}\n", ")"),
    "k.cs": ("class A {\n    int F(char c) {\n        return G(c == '('$0;\n    }\n}\n", ")"),
    "l.go": ("package a\n\nfunc f(c rune) int {\n\treturn g(c == '('$0\n}\n", ")"),
    "m.js": ("function f(c) {\n  return g(c === '(', `)`$0;\n}\n", ")"),
    "n.ts": ("function f(c: string) {\n  return g(c === '('$0;\n}\n", ")"),
    "o.tsx": ("function f(c: string) {\n  return g(c === '('$0;\n}\n", ")"),
    "p.py": ("def f(c):\n    return g(c == '('$0\n", ")"),
    "q.rb": ("def f(c)\n  g(c == '('$0\nend\n", ")"),
    "r.php": ("<?php\nfunction f($c) {\n    return g($c == '('$0;\n}\n", ")"),
    "s.lua": ("function f(c)\n  return g(c == '('$0\nend\n", ")"),
    "t.sh": ("f() {\n  x=$(g '('$0\n}\n", ")"),
}


@pytest.mark.parametrize("path", SIGNATURES)
@pytest.mark.parametrize("chunk_chars", [1, 1000])
async def test_the_bracket_that_the_user_opened_is_closed(path: str, chunk_chars: int) -> None:
    before, model = SIGNATURES[path]
    if path == "t.sh":
        before = before.replace("$(", "\x01")  # the cursor's mark is a dollar sign too
        before = before.replace("\x01", "$(")
    cursor, answer = await completed(before, model + "\n", path=path, chunk_chars=chunk_chars)
    assert answer.reason == "ok", path
    assert inserted(cursor, answer) == before.replace("$0", model)


@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        ("rust", "f(&'a str, 'b", (1, 0)),
        ("rust", "('(', '\\u{28}', \"(\")", (0, 0)),
        ("cpp", "f(1'000'000, '(')", (0, 0)),
        ("cpp", "f(u8'(', L'(')", (0, 0)),
        ("swift", "don't f(isn't", (1, 0)),
        ("scala", "f('a, 'b)", (0, 0)),
        ("clojure", "(f '(a b) 'c)", (0, 0)),
        ("scheme", "'(", (1, 0)),
        ("python", "f('(', \"(\")", (0, 0)),
    ],
)
def test_brackets_are_counted_outside_of_quotes(language: str, text: str, wanted: tuple[int, int]) -> None:
    assert imbalance(text, quotes_of(language)) == wanted


IN_STRINGS = {
    "python": ('x = """\n  a\n"""\ny\n', '"""'),
    "javascript": ("x = `\n  a\n`;\ny\n", "`"),
    "typescript": ("x = `\n  a\n`;\ny\n", "`"),
    "tsx": ("x = `\n  a\n`;\ny\n", "`"),
    "go": ("x := `\n  a\n`\ny\n", "`"),
    "rust": ('let x = r#"\n  "a\n"#;\ny\n', 'r#"'),
    "java": ('x = """\n  a\n""";\ny\n', '"""'),
    "kotlin": ('val x = """\n  a\n"""\ny\n', '"""'),
    "scala": ('val x = """\n  a\n"""\ny\n', '"""'),
    "swift": ('let x = """\n  a\n"""\ny\n', '"""'),
    "csharp": ('x = @"\n  ""a\n";\ny\n', '@"'),
    "cpp": ('auto x = R"q(\n  )"\n)q";\ny\n', 'R"q('),
    "ruby": ("x = <<~EOS\n  a\nEOS\ny\n", "<<~EOS"),
    "php": ("<?php $x = <<<EOT\n  a\nEOT;\n$y;\n", "<<<EOT"),
    "lua": ("x = [==[\n  ]]\n]==]\ny\n", "[==["),
    "bash": ("cat <<'EOT'\n  a\nEOT\ny\n", "<<'EOT'"),
}


@pytest.mark.parametrize("language", IN_STRINGS)
def test_lines_within_a_string_of_several_lines_are_known(language: str) -> None:
    text, opener = IN_STRINGS[language]
    assert lines_in_string(language, text) == [False, True, True, False, False]
    assert closer_at(language, text, text.index(opener)) is not None
    # Streamed, no answer about a line changes once the line has begun.
    for end in range(len(text)):
        part = lines_in_string(language, text[:end])
        assert part == lines_in_string(language, text)[: len(part)], text[:end]


def test_every_language_has_its_row() -> None:
    assert set(IN_STRINGS) == set(LANGUAGES) - {"c"}, "C has no string of several lines"


@pytest.mark.parametrize("language", LANGUAGES)
def test_comments_and_plain_literals_open_no_string(language: str) -> None:
    mark = LANGUAGES[language].line_comment
    text = f'a {mark} it\'s `one` """ or so\nb = "x"\nc = \'y\'\nd\n' if language != "rust" else "a // it's\nb\nc\nd\n"
    assert not any(lines_in_string(language, text))


YAML = 'def write(folder):\n    if folder:\n        folder.write(CONFIG)\n\n\nCONFIG = """\\\njobs:\n  $0\n"""\n'
YAML_MODEL = "build:\n    runs-on: linux\n    steps:\n      - run: make\n"
GO = "package a\n\nfunc f() {\n\tif true {\n\t\tg(usage)\n\t}\n}\n\nconst usage = `\ncommands:\n  $0\n`\n"
GO_MODEL = "add   adds an entry\n    --force  even where one exists\n  list  lists entries\n"
OPENED = "def f():\n\tif x:\n\t\ty = 1\n\treturn y\n\n\ndef g():\n\t$0\n"
OPENED_MODEL = 'x = """\n  a:\n    - b\n"""\n'


@pytest.mark.parametrize("chunk_chars", [1, 3, 1000])
@pytest.mark.parametrize(
    ("path", "before", "model"),
    [("a.py", YAML, YAML_MODEL), ("a.go", GO, GO_MODEL), ("b.py", OPENED, OPENED_MODEL)],
)
async def test_blanks_within_a_string_stay(path: str, before: str, model: str, chunk_chars: int) -> None:
    _cursor, answer = await completed(before, model, path=path, chunk_chars=chunk_chars)
    assert answer.suggestion is not None
    lines = answer.suggestion.text.splitlines()
    assert len(lines) > 1
    assert lines == model.splitlines()[: len(lines)]


def test_unknown_languages_quote_with_all_three() -> None:
    assert quotes_of("dart") is ANY_QUOTES
