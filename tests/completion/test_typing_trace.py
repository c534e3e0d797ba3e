"""The functions that the simulated typist types, and what a typist who accepts suggestions saves."""

from pathlib import Path

import pytest

from scripts.typing_trace.functions import functions_of, keys_of
from scripts.typing_trace.patient import Report, total

SOURCES = {
    "python": ("a.py", "def area(width):\n    '''Say.'''\n    total = width\n    return total\n"),
    "typescript": ("a.ts", "export function area(width: number) {\n  const total = width\n  return total\n}\n"),
    "go": ("a.go", "package a\n\nfunc Area(width int) int {\n\ttotal := width\n\treturn total\n}\n"),
    "rust": ("a.rs", "impl A {\n    fn area(&self) -> u8 {\n        let total = 1;\n        total\n    }\n}\n"),
    "java": ("A.java", "class A {\n    int area() {\n        int total = 1;\n        return total;\n    }\n}\n"),
}


@pytest.mark.parametrize("language", SOURCES)
def test_a_body_is_typed_between_its_braces(tmp_path: Path, language: str) -> None:
    name, text = SOURCES[language]
    (tmp_path / name).write_text(text)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / name).write_text(text)

    (function,) = functions_of(tmp_path, 5, language)

    assert function.before + function.body + function.after == text
    assert function.body.startswith(("total", "const", "let", "int"))
    assert "".join(keys_of(function.body)) == function.body
    assert len(list(keys_of(function.body))) < len(function.body) or language == "typescript"
    assert function.language == language


def test_a_function_on_one_line_or_without_a_body_is_not_typed(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text("function f() { return 1 }\ndeclare function g(): void\nfunction h() {\n}\n")
    (tmp_path / "new.py").write_text("type Pair = tuple[int,\n")

    assert functions_of(tmp_path, 5, "typescript") == []
    assert functions_of(tmp_path, 5, "python") == []


def test_a_typist_accepts_exactly_what_follows() -> None:
    report = Report()

    report.accept("total = a\n    return b", {1: "otal = b", 2: "tal = a\n    return", 22: "c"})

    assert (report.accepted, report.characters_accepted) == (1, len("tal = a\n    return"))
    assert report.keys_saved == len("tal = a") + 1 + len("return") - 1


def test_reports_add_up() -> None:
    first, second = Report(functions=1, shown=2, fresh_ms=[1.0]), Report(functions=2, fresh_ms=[2.0])
    first.reasons["ok"] += 1
    second.reasons["ok"] += 2

    whole = total([first, second])

    assert (whole.functions, whole.shown, whole.fresh_ms, whole.reasons) == (3, 2, [1.0, 2.0], {"ok": 3})
