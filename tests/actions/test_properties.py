"""Whatever a model writes, nothing outside the body changes and there are no new syntax errors."""

import asyncio
import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spark_lsp.actions.empty_function import empty_function
from spark_lsp.text.edit import Span, apply_edits
from spark_lsp.text.syntax import parse
from tests.actions.check import proposed, target_of

pytestmark = pytest.mark.slow

DOCUMENTS = {
    "main.py": 'import os\n\n\nclass A:\n    def f(self, a):\n        """Doc."""\n        pass$0  # note\n\n    x = 1',
    "one.py": "def f(a, *, b=(1, 2)): ...$0\n\n\nif f:\n    print(1)\n",
    "two.py": "def outer():\n\tdef f():\n\t\t# how$0\n\treturn 1\n",
    "main.ts": "export class A {\n  f(a: number): number {\n    // sum$0\n  }\n  g() { return 1; }\n}\n",
    "one.js": "const f = (a) => {$0};\nconst g = `${f}`;\n",
    "main.rs": "impl A {\n    fn f<'a>(&'a self) -> i32 {\n        todo!()$0 // é\n    }\n}\n",
    "main.go": 'package a\n\nfunc f(a int) int {\n\tpanic("TODO")$0\n}\n\nfunc g() {}\n',
    "A.java": "class A {\r\n  int f() {$0}\r\n  int g() { return 1; }\r\n}\r\n",
    "main.cpp": "int A::f() const\n{$0\n}\nint g() { return 1; }\n",
}

PIECES = [
    *(
        "return a",
        "return (",
        "pass",
        "...",
        "x = 1",
        "x",
        " ",
        "  ",
        "    ",
        "\t",
        "\n",
        "\n\n",
        "\n    ",
        "\n        ",
    ),
    *(
        "\r\n",
        "\r",
        "\n\t\t",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ":",
        ";",
        ",",
        '"',
        "'",
        "`",
        '"""',
        "'''",
        "\\",
        "#",
        "//",
    ),
    *("/*", "*/", "# note", "// note", "if a:", "if (a) {", "} else {", "else:", "def f(self, a):", "def g(): pass"),
    *(
        "fn g() {}",
        "function g() {}",
        "class B:",
        "class B {",
        "=> {",
        "<|fim_middle|>",
        "```",
        "</think>",
        "\0",
        "\x0c",
    ),
    *(
        "é",
        "🦎",
        "\ud800",
        "\u2028",
        "try:",
        "await x",
        "yield",
        "nonlocal a",
        "break",
        "todo!()",
        "${",
        "@cache",
        "#if 0",
    ),
    *('"""Doc."""', "async ", "while 1:", "for x in y:", "lambda: ", "'a ", "'a'", "return;", "throw x;", "…"),
]

LINES = [
    *("a = 1", "a = 1;", "if a:", "if (a) {", "}", "return a", "return a;", "# note", "// note", "", "b()", "else:"),
    *("for (;;) {", "while a:", 'x = """', "`", "(", ")", "def f(a):", "pass", "raise a", "throw a;", "} else {"),
]

ANSWERS = st.one_of(
    st.lists(st.tuples(st.sampled_from(["", "  ", "    ", "        ", "\t"]), st.sampled_from(LINES)), max_size=8).map(
        lambda lines: "\n".join(indent + line for indent, line in lines)
    ),
    st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
    st.text(max_size=60),
)


@pytest.mark.parametrize("path", DOCUMENTS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(answer=ANSWERS, chunk_chars=st.sampled_from([1, 7, 1000]))
@example(answer="return a\n    }\n  }\n}\nfunction g() {", chunk_chars=7)
@example(answer="x = '''\n", chunk_chars=7)
@example(answer="return a\n\n\ndef g():\n    return 1", chunk_chars=7)
def test_only_the_body_changes(path: str, answer: str, chunk_chars: int) -> None:
    target = target_of(DOCUMENTS[path], path)
    assert target.syntax is not None
    text = target.snapshot.text
    function = empty_function(target.syntax, target.span)
    assert function is not None
    proposal = asyncio.run(proposed(target, [answer], chunk_chars=chunk_chars))
    if not proposal.edits:
        assert proposal.reason != "ok"
        assert proposal.message.endswith(".")
        assert "\n" not in proposal.message
        return
    after = apply_edits(text, proposal.edits)
    body = function.interior
    tail = text[body.end :]
    assert after.startswith(text[: body.start])
    assert after.endswith(tail)
    parsed = parse(target.syntax.language, after)
    assert parsed is not None
    assert parsed.error_count <= target.syntax.error_count
    for kept in function.kept:
        assert kept.text(text) in after[body.start : len(after) - len(tail)]
    if "\r\n" in text:
        assert after.count("\n") == after.count("\r\n")
    if path.endswith(".py"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(after, path, "exec")
    start = function.node.span.start
    assert empty_function(parsed, Span(start, start)) is None
