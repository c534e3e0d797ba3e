"""``extract.variable`` in Go, Rust, Java, C and C++: programs build and print the same before and after."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tree_sitter import Node

from spark_lsp.actions.compiled.extract_variable import edits_of, place_of
from spark_lsp.actions.compiled.rules import RULES
from spark_lsp.actions.refusal import Refusal
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import Span, apply_edits
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import Syntax, parse
from tests.actions.check import target_of, titles
from tests.actions.compiled.build import has_compiler, outcome
from tests.actions.compiled.programs import PROGRAMS
from tests.support.workspace import TestWorkspace

FILES = {"c": "main.c", "cpp": "main.cpp", "rust": "main.rs", "java": "Main.java", "go": "main.go"}
MAX_BUILDS = {"c": 40, "cpp": 4, "rust": 7, "go": 7}
"""A build takes from a tenth of a second to two, so only some variants are built; ``SPARK_BUILD_ALL=1`` builds
each."""


def variants(language: str) -> tuple[list[str], list[str]]:
    """Return the program after each possible extraction, and the refusals of the others."""
    text = PROGRAMS[language]
    syntax = parse(LANGUAGES[language], text)
    assert syntax is not None
    assert not syntax.error_count
    done, refused = [], []
    for span in _expressions(language, syntax):
        if not titles(text[: span.start] + "$0" + span.text(text) + "$0" + text[span.end :], FILES[language], VARIABLE):
            continue
        node = next(candidate for candidate in _nodes(language, syntax) if syntax.wrap(candidate).span == span)
        place = place_of(syntax, node)
        if isinstance(place, Refusal):
            refused.append(place)
        else:
            done.append(apply_edits(text, edits_of(syntax, place, "extracted")))
    return done, refused


VARIABLE = "extract.variable"


def _expressions(language: str, syntax: Syntax) -> Iterator[Span]:
    yield from dict.fromkeys(syntax.wrap(node).span for node in _nodes(language, syntax))


def _nodes(language: str, syntax: Syntax) -> Iterator[Node]:
    stack = [syntax.tree.root_node]
    while stack:
        node = stack.pop()
        if node.type in RULES[language].expressions:
            yield node
        stack += reversed(node.named_children)


@pytest.mark.slow
@pytest.mark.parametrize("language", MAX_BUILDS)
def test_programs_print_the_same(language: str, tmp_path: Path) -> None:
    if not has_compiler(language):
        pytest.skip(f"no compiler for {language}")
    done, _ = variants(language)
    assert len(done) >= 15
    expected = outcome(language, PROGRAMS[language], tmp_path)
    assert expected.startswith("0\n"), expected
    step = 1 if os.environ.get("SPARK_BUILD_ALL") else max(1, len(done) // MAX_BUILDS[language])
    for program in done[::step]:
        assert outcome(language, program, tmp_path) == expected, program


@pytest.mark.slow
def test_java_prints_the_same(tmp_path: Path) -> None:
    """All variants are built at once and run in one JVM, because starting either takes a second."""
    if not has_compiler("java"):
        pytest.skip("no compiler for java")
    done, _ = variants("java")
    assert len(done) >= 15
    programs = [PROGRAMS["java"], *done]
    for number, program in enumerate(programs):
        named = re.sub(r"\bMain\b", f"Main{number}", program)
        (tmp_path / f"Main{number}.java").write_text(named, "utf-8")
    calls = "\n".join(
        f'System.out.println("#"); try {{ Main{number}.main(new String[0]); }} '
        f"catch (RuntimeException e) {{ System.out.println(e); }}"
        for number in range(len(programs))
    )
    every = f"public class All {{ public static void main(String[] a) {{ {calls} }} }}"
    (tmp_path / "All.java").write_text(every, "utf-8")
    sources = [str(path) for path in tmp_path.glob("*.java")]
    built = subprocess.run(
        ["javac", "-nowarn", "-d", str(tmp_path), *sources], capture_output=True, text=True, timeout=120, check=False
    )
    assert built.returncode == 0, built.stderr
    run = subprocess.run(["java", "-cp", str(tmp_path), "All"], capture_output=True, text=True, timeout=60, check=True)
    _, expected, *outputs = run.stdout.split("#\n")
    assert "loud" in expected
    for program, printed in zip(done, outputs, strict=True):
        assert printed == expected, program


CASES = {
    "c": (
        "main.c",
        "int f(int a) {\n    return $0a * 2$0 + a;\n}\n",
        "int f(int a) {\n    int value = a * 2;\n    return value + a;\n}\n",
    ),
    "c, call": (
        "main.c",
        "double half(int a);\n\nint f(int a) {\n    use($0half(a)$0);\n}\n",
        "double half(int a);\n\nint f(int a) {\n    double half2 = half(a);\n    use(half2);\n}\n",
    ),
    "cpp, reference": (
        "main.cpp",
        "void f(Box& box) {\n    grow($0box.inner.size$0);\n}\n",
        "void f(Box& box) {\n    auto& size = box.inner.size;\n    grow(size);\n}\n",
    ),
    "rust": (
        "main.rs",
        "fn f(a: &str) -> usize {\n    $0a.trim().len()$0 + 1\n}\n",
        "fn f(a: &str) -> usize {\n    let len = a.trim().len();\n    len + 1\n}\n",
    ),
    "java": (
        "A.java",
        "class A {\n    int f(int a) {\n        return g($0getTotal(a) + 1$0);\n    }\n}\n",
        "class A {\n    int f(int a) {\n        var value = getTotal(a) + 1;\n        return g(value);\n    }\n}\n",
    ),
    "go": (
        "main.go",
        "package a\n\nfunc f(a int) int {\n\treturn g($0getTotal(a)$0, 1)\n}\n",
        "package a\n\nfunc f(a int) int {\n\ttotal := getTotal(a)\n\treturn g(total, 1)\n}\n",
    ),
    "go, constant": (
        "main.go",
        "package a\n\nfunc f() {\n\twait($02$0 * time.Second)\n}\n",
        "package a\n\nfunc f() {\n\tconst value = 2\n\twait(value * time.Second)\n}\n",
    ),
}


@pytest.mark.parametrize(("path", "before", "after"), CASES.values(), ids=CASES)
async def test_named_by_a_plain_rule_where_the_model_says_nothing(path: str, before: str, after: str) -> None:
    target = target_of(before, path)
    proposal = await TestWorkspace(ScriptedEngine([""])).actions.propose(VARIABLE, target)
    assert (apply_edits(target.snapshot.text, proposal.edits), proposal.reason) == (after, "ok")


async def test_named_by_the_model_under_a_grammar() -> None:
    target = target_of(CASES["rust"][1], "main.rs")
    engine = ScriptedEngine(["trimmed_length = 5"])
    proposal = await TestWorkspace(engine).actions.propose(VARIABLE, target)
    assert "let trimmed_length = a.trim().len();" in apply_edits(target.snapshot.text, proposal.edits)
    assert engine.requests[0].sampling.grammar == "root ::= [a-z] [a-z0-9_]*"


REFUSED = {
    "go, more than one value": (
        "main.go",
        "package a\n\nfunc f() {\n\tg($0h()$0)\n}\n",
        "The call may return more than one value.",
    ),
    "go, receiver": (
        "main.go",
        "package a\n\nfunc f(b *B) {\n\t$0b.inner$0.grow()\n}\n",
        "A part of the value is used, and a variable may be a copy of it.",
    ),
    "rust, lock": (
        "main.rs",
        "fn f(m: &M) {\n    g($0m.lock().unwrap()$0, 1);\n}\n",
        "The value may hold a lock or a borrow until the end of the block.",
    ),
    "rust, moved": (
        "main.rs",
        "fn f(a: &A) -> bool {\n    $0a.name$0 == b\n}\n",
        "The expression is a place, and a variable may move its value.",
    ),
    "java, constant": (
        "A.java",
        "class A {\n    void f() {\n        byte b = $01$0;\n    }\n}\n",
        "A constant fits into a smaller type, and a variable does not.",
    ),
    "c, type": (
        "main.c",
        "void f(Box *box) {\n    g($0box->n$0);\n}\n",
        "The type of the expression is not written in this file.",
    ),
    "cpp, moved from": (
        "main.cpp",
        "void f() {\n    take($0make()$0);\n}\n",
        "The temporary value may be moved from, and a variable may not.",
    ),
}


@pytest.mark.parametrize(("path", "before", "message"), REFUSED.values(), ids=REFUSED)
async def test_refused_with_the_reason(path: str, before: str, message: str) -> None:
    engine = ScriptedEngine(["name"])
    proposal = await TestWorkspace(engine).actions.propose(VARIABLE, target_of(before, path))
    assert (proposal.edits, proposal.reason, proposal.message) == ((), "gate.unsafe", message)
    assert engine.requests == []


NOT_OFFERED = {
    "second of &&": ("main.c", "void f(int a) {\n    if (a && $0a > 1$0) g();\n}\n"),
    "after a call": ("A.java", "class A {\n    int f() {\n        return g(h(), $0count + 1$0);\n    }\n}\n"),
    "condition of a loop": ("main.go", "package a\n\nfunc f(a int) {\n\tfor $0a < g()$0 {\n\t}\n}\n"),
    "field": ("A.java", "class A {\n    int b = $0f(1)$0;\n}\n"),
    "closure": ("main.rs", "fn f() {\n    g(|a| $0a + 1$0);\n}\n"),
    "lone body": ("main.c", "void f(int a) {\n    if (a)\n        g($0a + 1$0);\n}\n"),
    "unordered in c": ("main.c", "void f(int a) {\n    g($0a + 1$0, h());\n}\n"),
}


@pytest.mark.parametrize(("path", "before"), NOT_OFFERED.values(), ids=NOT_OFFERED)
def test_not_available(path: str, before: str) -> None:
    assert titles(before, path, VARIABLE) == []
