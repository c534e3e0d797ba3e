"""The checks of JavaScript and TypeScript that a model wrote: bodies, tests, rewritten code."""

import pytest

from spark_lsp.actions.base import Diagnostic
from spark_lsp.actions.checks.script_body import function_around, parameters_at, script_body_problem
from spark_lsp.actions.checks.script_rewritten import (
    script_asked_problem,
    script_fix_problem,
    script_lost_problem,
    script_size_problem,
)
from spark_lsp.actions.checks.script_test import (
    has_enough_assertions,
    needs_this,
    repaired_script,
    script_sure_part,
    script_test_problem,
)
from spark_lsp.text.edit import Span
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import Syntax, parse


def typescript(text: str) -> Syntax:
    """Parse TypeScript."""
    syntax = parse(LANGUAGES["typescript"], text)
    assert syntax is not None, "a short text"
    return syntax


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("function f(a: number, b = 2): number {$ return a * b; }", ""),
        ("function f(a: number, b = 2): number {$ return a; }", "The body of f does not use b."),
        ("function f({ a, b: c }: P, [d]: Q, ...rest: R[]) {$ return [a, c, d, rest]; }", ""),
        ("function f({ a, b: c }: P) {$ return a; }", "The body of f does not use c."),
        ("function f(a: number, _b: number) {$ return { a }; }", ""),
        ("function f(a: number) {$ return g(...arguments); }", ""),
        ("function f() {$ }", "The body of f does nothing."),
        ("function f(a: number) {$ return undefined; }", "The body of f does nothing."),
        ("function f(a: number) {$ throw new Error('Not implemented'); }", "The body of f does nothing."),
        ("function f(a: number): string {$ console.log(a); }", "f returns nothing, but a result is declared."),
        ("function f(a: number): void {$ console.log(a); }", ""),
        ("async function f(a: number): Promise<void> {$ await g(a); }", ""),
        ("function* f(a: number): Iterable<number> {$ yield a; }", ""),
        ("function f(a: number): number {$ throw new RangeError(`${a}`); }", ""),
        ("function f(a: number): number {$ return f(a); }", "The body of f always calls f again."),
        ("function f(a: number): number {$ return a ? f(a - 1) : 0; }", ""),
        ("function f(a: number): number {$ return [a].map((b) => f(b))[0]; }", ""),
        ("class A {\n  f(a: number): number {$ return this.f(a); }\n}", "The body of f always calls f again."),
        (
            "function g(a) { const b = a + 1; return b; }\nfunction f(a) {$ const b = a + 1; return b; }",
            "The body of f is that of g.",
        ),
        ("const f = (a: number) => {$ return 1; };", "The body of f does not use a."),
        ("$ const f = 1;", ""),
    ],
)
def test_bodies(text: str, problem: str) -> None:
    before, _, after = text.partition("$")
    assert script_body_problem(typescript(before + after), "f", len(before)) == problem


def test_the_parameters_are_named_to_the_model() -> None:
    text = "function f(this: A, a: number, { b }: P, _c = 1) { }"
    assert parameters_at(typescript(text), len(text) - 2) == ["a", "b"]


ADD = "export function add(a: number, b = 1, ...more: number[]): number {\n  return a + b;\n}\n"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("expect(add(1, 2)).toBe(3);", ""),
        ("const sum = add(1);\n  expect(sum).toEqual(2);", ""),
        ("assert.equal(add(1, 2), 3);", ""),
        ("expect(() => add()).toThrow();", ""),
        ("expect(1).toBe(1);", "The test never calls add."),
        ("add(1);", "The test asserts nothing about add."),
        ("add(1);\n  expect(2).toBe(2);", "The test asserts nothing about add."),
        ("expect(add()).toBe(1);", "The test calls add with 0 arguments, and it needs 1."),
        ("expect(add(1, 2, 3, 4)).toBe(10);", ""),
        ("expect(add(...values)).toBe(1);", ""),
        ("expect(add(1)).toBe(2);\n  expect(add(1)).toBe(3);", "The test asserts two values of add(1)."),
        ("expect(add(1)).toBe(2);\n  expect(add(1)).not.toBe(3);", ""),
        ("expect(add(document.width)).toBe(2);", "The test uses document, which only browsers have."),
        ("const document = { width: 1 };\n  expect(add(document.width)).toBe(2);", ""),
        ("process.exit(add(1));\n  expect(add(1)).toBe(2);", "The test calls process.exit."),
    ],
)
def test_tests(body: str, problem: str) -> None:
    head = 'import { add } from "./add";\n\nit("add", () => {\n'
    function = function_around(typescript(ADD), ADD.index("return"))
    assert function is not None
    assert script_test_problem(typescript(f"{head}  {body}\n}});\n"), len(head), "add", function) == problem


def test_a_function_that_returns_nothing_has_no_value() -> None:
    text = "export function log(a: string) {\n  console.log(a);\n}\n"
    function = function_around(typescript(text), text.index("console"))
    assert function is not None
    test = 'it("log", () => {\n  expect(log("a")).toBe("a");\n});\n'
    assert (
        script_test_problem(typescript(test), 20, "log", function)
        == "log returns nothing, but the test asserts a value."
    )
    twice = 'it("log", () => {\n  expect(log("a", "b")).toBe(undefined);\n});\n'
    assert (
        script_test_problem(typescript(twice), 20, "log", function)
        == "The test calls log with 2 arguments, and it takes 1."
    )


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("function f(this: A, a: number) { return a; }", True),
        ("function f() { return [1].map(() => this.a); }", True),
        ("function f() { return function () { return this.a; }; }", False),
        ("function f(a: number) { return a; }", False),
    ],
)
def test_a_function_with_a_this_cannot_be_called_alone(text: str, *, needs: bool) -> None:
    function = function_around(typescript(text), text.index("return"))
    assert function is not None
    outer = function if function.parent is None or function.parent.type == "program" else function.parent
    assert needs_this(outer) is needs


def test_a_guessed_value_and_what_follows_are_dropped() -> None:
    sure = [("  expect(add(1, 2)).toBe(", 0.9), ("3", 0.95), (");\n", 1.0)]
    guess = [("  expect(add(3, 4)).toBe(", 0.9), ("9", 0.3), (");\n  expect(add(0, 1)).toBe(1);\n});", 0.9)]
    assert script_sure_part([*sure, *guess]) == "  expect(add(1, 2)).toBe(3);"
    assert script_sure_part(sure) == "  expect(add(1, 2)).toBe(3);\n"
    assert script_sure_part([("  assert.equal(add(1), ", 1.0), ("7", 0.2), (");", 1.0)]) == ""
    held = [("  const sum = add(1);\n  const wanted = ", 1.0), ("7", 0.2), (";\n  expect(sum).toBe(wanted);", 1.0)]
    assert script_sure_part(held) == "  const sum = add(1);\n  const wanted = 7;"


def test_the_first_assertions_are_kept_and_objects_are_compared_by_value() -> None:
    body = "".join(f"  expect(f({number})).toBe([{number}]);\n" for number in (1, 1, 2, 3, 4))
    assert repaired_script(body) == "".join(f"  expect(f({number})).toEqual([{number}]);\n" for number in (1, 2, 3))
    assert has_enough_assertions(body)
    assert not has_enough_assertions("  expect(f(1)).toBe(1);\n  expect(f(2)).toBe(2);\n")


OLD = """\
/** Say. */
function f(a: A, b?: number): string {
  if (a.isOpen && b !== undefined) {
    throw new TypeError("no");
  }
  this.count = log(a.name.trim());
  return a.name + "!";
}
"""


@pytest.mark.parametrize(
    ("old", "new", "instruction", "problem"),
    [
        ("a.name + ", "a.title + ", "", ""),
        ("a: A, b?", "b?", "", "The signature of f would change."),
        ("a: A, b?", "b?", "Remove the parameter a.", ""),
        ("function f", "function g", "", "f would be removed."),
        ("function f", "function g", "Rename f to g.", ""),
        ("a.isOpen && b", "b", "", "The condition a.isOpen would be removed."),
        ("a.isOpen && b", "b", "Do not look at isOpen.", ""),
        ("if (a.isOpen && b !== undefined)", "if (!(b === undefined || !a.isOpen))", "", ""),
        ('throw new TypeError("no")', "return", "", "A throw would be removed."),
        ("log(a.name.trim())", "a.name.trim()", "", "The call of log would be removed."),
        (".trim()", "", "", ""),
        ("this.count = ", "", "", "this.count would no longer be set."),
        ("/** Say. */\n", "", "", "A documentation comment would be removed."),
        ("/** Say. */\n", "", "Remove the comment.", ""),
        ("/** Say. */\n", "function f() {}\n/** Say. */\n", "", "f would be defined twice."),
    ],
)
def test_what_an_edit_drops(old: str, new: str, instruction: str, problem: str) -> None:
    assert script_lost_problem(typescript(OLD), typescript(OLD.replace(old, new)), instruction) == problem


@pytest.mark.parametrize(
    ("new", "instruction", "problem"),
    [
        (OLD, 'Log "f called".', "The result does not have f called."),
        (OLD.replace("  this", '  console.debug("f called");\n  this'), 'Log "f called".', ""),
        (OLD, "Throw a RangeError.", "The result does not have RangeError."),
        (OLD, "Rename the parameter b to size.", "b is not renamed."),
        (OLD.replace("b", "width"), "Rename the parameter b to size.", "The result does not have size."),
        (OLD.replace("b?", "size?").replace("b !==", "size !=="), "Rename the parameter b to size.", ""),
        (OLD, "Make it faster.", ""),
    ],
)
def test_what_was_asked_for(new: str, instruction: str, problem: str) -> None:
    assert script_asked_problem(typescript(OLD), typescript(new), instruction) == problem


def test_a_simplified_text_has_fewer_parts() -> None:
    before = typescript("function f(a) {\n  if (a) { return true; } else { return false; }\n}\n")
    assert script_size_problem(before, typescript("function f(a) {\n  return Boolean(a);\n}\n")) == ""
    assert script_size_problem(before, before) == "The result is no simpler than before."


@pytest.mark.parametrize(
    ("code", "before", "after", "problem"),
    [
        ("eqeqeq", "if (a == b) c();", "if (a === b) c();", ""),
        ("eqeqeq", "if (a == b) c();", "if (a == b) d();", "The problem is still there."),
        (
            "eqeqeq",
            "if (a != null) c();",
            "if (a !== null) c();",
            "A value that is undefined would be compared otherwise than before.",
        ),
        ("eqeqeq", "if (a != null) c();", "if (a !== null && a !== undefined) c();", ""),
        ("curly", "if (a) b(); else c();", "if (a) { b(); } else { c(); }", ""),
        ("curly", "if (a) b(); else c();", "if (a) { b(); } else if (d) c();", ""),
        ("curly", "if (a) b();", "if (d) b();", "The problem is still there."),
        ("no-var", "var a = 1;", "let a = 1;", ""),
        ("no-plusplus", "a++;", "a += 1;", ""),
        ("@typescript-eslint/no-explicit-any", "let a: any;", "let a: unknown;", ""),
        ("@typescript-eslint/no-non-null-assertion", "a!.b;", "a?.b;", ""),
        ("no-nested-ternary", "a ? b : c ? d : e;", "a ? b : c ? d : f;", "The problem is still there."),
        ("prefer-template", '"a" + b;', "`a${b}`;", ""),
        ("some-rule", "a;\n\n\n\n\n\nb;", "a;\n\n\n\n\n\nc;", "The edit does not change the code of the problem."),
        ("some-rule", "a;\n\n\n\n\n\nb;", "c;\n\n\n\n\n\nb;", ""),
    ],
)
def test_a_fix_removes_its_finding(code: str, before: str, after: str, problem: str) -> None:
    diagnostic = Diagnostic(Span(0, 1), "It is wrong.", code, "eslint")
    assert script_fix_problem(typescript(before), typescript(after), diagnostic) == problem
