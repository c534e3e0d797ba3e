"""``document``: where it is offered, how the comment is laid out in each language, and that code stays what it is."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_lsp.actions.document import grammar_of, site_of
from spark_lsp.engine.base import TextPart
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import apply_edits
from spark_lsp.text.syntax import parse
from tests.actions.check import target_of, titles
from tests.support.workspace import TestWorkspace

SHORT = "Return the area of a box"
CASES = {
    "python": (
        "main.py",
        "def area(w, h):\n    return $0w * h\n",
        f'def area(w, h):\n    """{SHORT}."""\n    return w * h\n',
    ),
    "python, method": (
        "main.py",
        "class A:\n    @cache\n    def f(self):\n        # how\n        return 1$0\n",
        f'class A:\n    @cache\n    def f(self):\n        """{SHORT}."""\n        # how\n        return 1\n',
    ),
    "python, class": ("main.py", "class $0A:\n    x = 1\n", f'class A:\n    """{SHORT}."""\n    x = 1\n'),
    "python, other quotes": (
        "main.py",
        "'''Module.'''\n\ndef f():\n    return 1$0\n",
        f"'''Module.'''\n\ndef f():\n    '''{SHORT}.'''\n    return 1\n",
    ),
    "javascript": (
        "a.js",
        "export function f(a) {\n  return a;$0\n}\n",
        f"/** {SHORT}. */\nexport function f(a) {{\n  return a;\n}}\n",
    ),
    "arrow": ("a.ts", "x();\n\nconst f = (a: A) => {$0};\n", f"x();\n\n/** {SHORT}. */\nconst f = (a: A) => {{}};\n"),
    "typescript method": (
        "a.ts",
        "class A {\n  f(): void {$0}\n}\n",
        f"class A {{\n  /** {SHORT}. */\n  f(): void {{}}\n}}\n",
    ),
    "go": (
        "a.go",
        "package a\n\nfunc Area(w int) int {\n\treturn w$0\n}\n",
        "package a\n\n// Area returns it.\nfunc Area(w int) int {\n\treturn w\n}\n",
    ),
    "rust": (
        "a.rs",
        "impl A {\n    #[inline]\n    pub fn f(&self) -> i32 {\n        1$0\n    }\n}\n",
        f"impl A {{\n    /// {SHORT}.\n    #[inline]\n    pub fn f(&self) -> i32 {{\n        1\n    }}\n}}\n",
    ),
    "java": (
        "A.java",
        "class A {\r\n    @Override\r\n    int f() {\r\n        return 1;$0\r\n    }\r\n}\r\n",
        (
            f"class A {{\r\n    /** {SHORT}. */\r\n    @Override\r\n    int f() {{\r\n        return 1;\r\n    }}\r\n"
            "}\r\n"
        ),
    ),
    "c": (
        "a.c",
        "static int f(int a)\n{\n    return a;$0\n}\n",
        f"/** {SHORT}. */\nstatic int f(int a)\n{{\n    return a;\n}}\n",
    ),
    "cpp": (
        "a.cpp",
        "/// One.\nint one();\n\ntemplate <class T>\nT f(T a) {\n  return a;$0\n}\n",
        f"/// One.\nint one();\n\n/// {SHORT}.\ntemplate <class T>\nT f(T a) {{\n  return a;\n}}\n",
    ),
}


async def _documented(path: str, before: str, answer: str, chunk_chars: int = 4) -> tuple[str | None, str]:
    target = target_of(before, path)
    engine = ScriptedEngine([answer], chunk_chars)
    proposal = await TestWorkspace(engine).actions.propose("document", target)
    after = apply_edits(target.snapshot.text, proposal.edits) if proposal.edits else None
    return after, proposal.message


@pytest.mark.slow
@pytest.mark.parametrize("chunk_chars", [1, 1000])
@pytest.mark.parametrize(("path", "before", "after"), CASES.values(), ids=CASES)
async def test_laid_out_as_the_language_does(path: str, before: str, after: str, chunk_chars: int) -> None:
    sentence = "returns it" if path.endswith(".go") else SHORT
    assert await _documented(path, before, sentence, chunk_chars) == (after, "")


async def test_several_lines() -> None:
    answer = 'Return it.\n\n    Args:\n        w: the width\n    """\n    return 0'
    after, _ = await _documented("main.py", "def f(w):\n    return w$0\n", answer)
    assert after == 'def f(w):\n    """Return it.\n\n    Args:\n        w: the width\n    """\n    return w\n'
    answer = "Return it\n   * for a\n   * @param a what\n   */\n  f()"
    after, _ = await _documented("a.js", "class A {\n  f(a) {\n    return a;$0\n  }\n}\n", answer)
    assert (
        after
        == "class A {\n  /**\n   * Return it.\n   * for a\n   * @param a what\n   */\n  f(a) {\n    return a;\n  }\n}\n"
    )
    after, _ = await _documented("a.rs", "fn f() {\n    g()$0\n}\n", "Calls it.\n/// Twice.\nfn f() {")
    assert after == "/// Calls it.\n/// Twice.\nfn f() {\n    g()\n}\n"


async def test_long_lines_are_wrapped() -> None:
    after, _ = await _documented("main.py", "def f():\n    return 1$0\n", "Return " + "one " * 40)
    assert after is not None
    assert max(len(line) for line in after.splitlines()) <= 88


OFFERED = {
    "documented": ("main.py", 'def f():\n    """Doc."""\n    return 1$0\n', []),
    "on one line": ("main.py", "def f(): return 1$0\n", []),
    "outside": ("main.py", "x = 1$0\n", []),
    "inner one": ("main.py", 'def f():\n    """Doc."""\n    def g():\n        return 1$0\n', ["Document g"]),
    "comment above": ("a.js", "// what\nfunction f() {$0}\n", []),
    "comment further above": ("a.js", "// what\n\nfunction f() {$0}\n", ["Document f"]),
    "declared in c": ("a.c", "static int *f(int a) {$0}\n", ["Document f"]),
    "class in java": ("A.java", "class A {\n  int x;$0\n}\n", ["Document A"]),
}


@pytest.mark.parametrize(("path", "before", "wanted"), OFFERED.values(), ids=OFFERED)
def test_available(path: str, before: str, wanted: list[str]) -> None:
    assert titles(before, path, "document") == wanted


async def test_nothing_to_say_is_explained_after_one_retry() -> None:
    target = target_of("def f():\n    return 1$0\n")
    engine = ScriptedEngine(["..."])
    proposal = await TestWorkspace(engine).actions.propose("document", target)
    assert (proposal.edits, proposal.reason, proposal.message) == ((), "empty", "The model wrote nothing about f.")
    first, second = engine.requests
    assert first.sampling.temperature == 0.0 < second.sampling.temperature
    assert first.sampling.grammar == second.sampling.grammar != ""


async def test_the_hole_is_between_the_marks() -> None:
    engine = ScriptedEngine([SHORT])
    await TestWorkspace(engine).actions.propose("document", target_of("def f():\n    return 1$0\n"))
    shown = "".join(part.text for part in engine.requests[0].prompt if isinstance(part, TextPart))
    assert 'def f():\n    """' in shown
    assert '"""\n    return 1' in shown


def test_grammar_cannot_leave_the_comment() -> None:
    syntax = target_of("def f():\n    return 1$0\n").syntax
    site = site_of(syntax, 12)
    assert site is not None
    assert grammar_of(site).splitlines()[1] == r'line ::= [^"\\\n\r]+'


PIECES = [
    "Return it",
    '"""',
    "'''",
    "*/",
    "/*",
    "\n",
    "\n    ",
    "\n * ",
    "\n/// ",
    "\\",
    "#",
    '"',
    "é",
    "x = 1",
    "return",
]
PIECES += ["`", "//", "."]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(answer=st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_whatever_is_said_only_a_comment_is_added(name: str, answer: str) -> None:
    path, before, _ = CASES[name]
    after, message = asyncio.run(_documented(path, before, answer))
    if after is None:
        assert message == f"The model wrote nothing about {titles(before, path, 'document')[0].split()[1]}."
        return
    target = target_of(before, path)
    assert target.syntax is not None
    parsed = parse(target.syntax.language, after)
    assert parsed is not None
    assert parsed.error_count == 0
    text = target.snapshot.text
    lines = after.split("\n")
    kept = iter(lines)
    assert all(line in kept for line in text.split("\n")), "a line of the code is gone"
