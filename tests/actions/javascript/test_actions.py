"""The JavaScript and TypeScript actions as a user sees them: offers, edits, names and refusals."""

from pathlib import Path

import pytest

from spark_lsp.engine.base import CompletionRequest, TextPart
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import EngineFailed
from spark_lsp.text.edit import apply_edits
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse
from tests.actions.check import target_of, titles
from tests.support.workspace import TestWorkspace

CASES = Path(__file__).parent / "cases"


async def _after(action: str, path: str, before: str, name: str = "") -> tuple[str | None, str]:
    target = target_of(before, path)
    proposal = await TestWorkspace(ScriptedEngine([name])).actions.propose(action, target)
    after = apply_edits(target.snapshot.text, proposal.edits) if proposal.edits else None
    assert (proposal.reason == "ok") == bool(proposal.edits)
    return after, proposal.message


def _read(path: Path) -> tuple[str, str, str]:
    """Read a case: the action and the file's name on the first line, then before and after, or the refusal."""
    head, before, after = path.read_text("utf-8").split("=====\n")
    action, name = head.split()
    return action, name, before + "\0" + after


@pytest.mark.parametrize("case", sorted(CASES.glob("*.txt")), ids=lambda case: case.stem)
async def test_case(case: Path) -> None:
    action, name, both = _read(case)
    before, after = both.split("\0")
    result = await _after(action, name, before, "chosen" if action != "inline.variable" else "")
    assert result == ((None, after.strip().removeprefix("refused: ")) if after.startswith("refused: ") else (after, ""))
    language = LANGUAGES["typescript" if name.endswith(".ts") else "javascript"]
    syntax = parse(language, after)
    assert after.startswith("refused") or (syntax is not None and not syntax.error_count)


def test_there_are_cases() -> None:
    assert len(list(CASES.glob("*.txt"))) >= 10


BEFORE = "export function f(list) {\n  $0const first = list.getUser(0);\n  say(first);$0\n}\n"


async def test_the_model_fills_the_name_under_a_grammar() -> None:
    engine = ScriptedEngine(["greetFirst(list)"])
    proposal = await TestWorkspace(engine).actions.propose("extract.function", target_of(BEFORE, "a.js"))
    (request,) = engine.requests
    assert request.sampling.grammar == "root ::= [a-z] [a-zA-Z0-9]*"
    assert request.max_tokens <= 16
    shown = "".join(part.text for part in request.prompt if isinstance(part, TextPart))
    assert "(list) {\n  const first" in shown
    assert "function \n" in shown or shown.endswith("function ")
    assert "greetFirst(list)" in "".join(edit.new_text for edit in proposal.edits)


@pytest.mark.parametrize("answer", ["", "class", "list", "9x", "Nope", "x", "a" * 40])
async def test_a_name_that_cannot_be_used_is_replaced_by_a_plain_one(answer: str) -> None:
    after, _ = await _after(
        "extract.variable", "a.js", "function f(list) {\n  return g($0list.getUser(0)$0);\n}\n", answer
    )
    assert after == "function f(list) {\n  const user = list.getUser(0);\n  return g(user);\n}\n"


async def test_a_guess_of_the_model_is_not_taken() -> None:
    target = target_of("function f(list) {\n  return g($0list.getUser(0)$0);\n}\n", "a.js")
    engine = ScriptedEngine(["person"], probability=0.05)
    proposal = await TestWorkspace(engine).actions.propose("extract.variable", target)
    assert "const user = " in apply_edits(target.snapshot.text, proposal.edits)


async def test_without_an_engine_the_plain_name_serves() -> None:
    target = target_of("function f(list) {\n  return g($0list.getUser(0)$0);\n}\n", "a.js")
    engine = ScriptedEngine(["person"])
    engine.start_error = EngineFailed("It died.")
    proposal = await TestWorkspace(engine).actions.propose("extract.variable", target)
    assert "const user = " in apply_edits(target.snapshot.text, proposal.edits)


async def test_inlining_needs_no_model() -> None:
    engine = ScriptedEngine(["x"])
    target = target_of("function f(a) {\n  const b$0 = a + 1;\n  return b * 2;\n}\n", "a.js")
    proposal = await TestWorkspace(engine).actions.propose("inline.variable", target)
    assert apply_edits(target.snapshot.text, proposal.edits) == "function f(a) {\n  return (a + 1) * 2;\n}\n"
    assert (engine.starts, engine.requests) == (0, [])


async def test_a_local_gets_a_better_name_in_all_its_places() -> None:
    before = "function f({ a }) {\n  const x$0 = a.size;\n  g({ x }, () => x + o.x);\n}\n"

    def answer(request: CompletionRequest) -> str:
        shown = "".join(part.text for part in request.prompt if isinstance(part, TextPart))
        assert "() =>" not in shown, "the old name's uses would give it away"
        return "size1 = a"

    target = target_of(before, "a.js")
    proposal = await TestWorkspace(ScriptedEngine(answer)).actions.propose("rename.suggest", target)
    assert apply_edits(target.snapshot.text, proposal.edits) == (
        "function f({ a }) {\n  const size1 = a.size;\n  g({ x: size1 }, () => size1 + o.x);\n}\n"
    )
    after, message = await _after(
        "rename.suggest", "a.js", "export const x = 1;\nfunction f() {\n  return $0x;\n}\n", "y1"
    )
    assert (after, message) == (None, "x is not local: other files may use it.")


OFFERED = {
    "statements": ("a.js", "f();\n$0g();\nh();$0\n", "extract.function", ["Extract function"]),
    "half a statement": ("a.js", "f();\n$0g();\nh($0);\n", "extract.function", []),
    "no selection": ("a.js", "f$0();\n", "extract.function", []),
    "a name": ("a.js", "f($0abc$0);\n", "extract.variable", []),
    "a condition": ("a.ts", "if ($0a > 1$0) f();\n", "extract.variable", ["Extract variable"]),
    "a pattern": ("a.js", "const $0{ a, b }$0 = c;\n", "extract.variable", []),
    "a type": ("a.ts", "let a: $0Map<string, A>$0;\n", "extract.variable", []),
    "a callee": ("a.js", "$0a.b$0(1);\n", "extract.variable", []),
    "a variable": ("a.js", "function f() {\n  const a$0 = 1;\n  return a;\n}\n", "inline.variable", ["Inline a"]),
    "a parameter": ("a.js", "function f(a$0) {}\n", "inline.variable", []),
    "python": ("a.py", "$0f()$0\n", "inline.variable", []),
}


@pytest.mark.parametrize(("path", "before", "action", "wanted"), OFFERED.values(), ids=OFFERED)
def test_available(path: str, before: str, action: str, wanted: list[str]) -> None:
    assert titles(before, path, action) == wanted
