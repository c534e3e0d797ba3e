"""``fix.diagnostic`` on real messages of ruff and pyright (stored in ``tests/fixtures/diagnostics``)."""

import json
from pathlib import Path

import pytest

from spark_lsp.actions.base import Diagnostic, Target
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import Span, apply_edits
from spark_lsp.text.snapshot import LineTable
from tests.actions.chat.talk import aimed, chosen, prompt_text, talking
from tests.support.workspace import TestWorkspace, snapshot_of

FOLDER = Path(__file__).parents[2] / "fixtures" / "diagnostics"
TEXT = (FOLDER / "shop.py").read_text("utf-8")
LINES = LineTable.of(TEXT)


def _ruff() -> list[Diagnostic]:
    """Convert ruff's positions: lines and columns from 1, in code points."""
    diagnostics = []
    for row in json.loads((FOLDER / "ruff.json").read_text("utf-8")):
        start, end = (LINES.starts[at["row"] - 1] + at["column"] - 1 for at in (row["location"], row["end_location"]))
        diagnostics.append(Diagnostic(Span(start, end), row["message"], row["code"], "Ruff"))
    return diagnostics


def _pyright() -> list[Diagnostic]:
    """Convert pyright's positions: from 0, in UTF-16 units; the sample has a two-unit character before the fault."""
    diagnostics = []
    for row in json.loads((FOLDER / "pyright.json").read_text("utf-8"))["generalDiagnostics"]:
        ends = []
        for at in (row["range"]["start"], row["range"]["end"]):
            line = LINES.span(at["line"]).text(TEXT)
            ends.append(
                LINES.starts[at["line"]] + len(line.encode("utf-16-le")[: at["character"] * 2].decode("utf-16-le"))
            )
        diagnostics.append(Diagnostic(Span(*ends), row["message"], row.get("rule", ""), "Pyright"))
    return diagnostics


DIAGNOSTICS = {
    f"{diagnostic.source} {diagnostic.code} {diagnostic.span.start}": diagnostic
    for diagnostic in (*_ruff(), *_pyright())
}


def _target(*diagnostics: Diagnostic) -> Target:
    return Target.of(snapshot_of("shop.py", TEXT), Span(0, 0), diagnostics)


def _named(code: str) -> Diagnostic:
    return next(diagnostic for diagnostic in DIAGNOSTICS.values() if diagnostic.code == code)


def test_there_is_something_of_both() -> None:
    assert {diagnostic.source for diagnostic in DIAGNOSTICS.values()} == {"Ruff", "Pyright"}
    assert {"F401", "F841", "E722", "B006", "reportAttributeAccessIssue", "reportUndefinedVariable"} <= {
        diagnostic.code for diagnostic in DIAGNOSTICS.values()
    }


async def test_each_is_offered_once_with_what_it_says() -> None:
    engine = talking(["x"])
    await engine.start()
    available = TestWorkspace(engine).actions.available(_target(*DIAGNOSTICS.values()))
    fixes = [action for action in available if action.id == "fix.diagnostic"]
    assert [action.diagnostic for action in fixes] == list(DIAGNOSTICS.values())
    assert {(action.kind, action.needs) for action in fixes} == {("quickfix", "chat")}
    assert fixes[0].title == "Fix: `os` imported but unused (F401)"
    assert all(len(action.title) <= 76 and "\n" not in action.title for action in fixes)
    assert engine.requests == []


@pytest.mark.slow
@pytest.mark.parametrize("diagnostic", DIAGNOSTICS.values(), ids=DIAGNOSTICS)
async def test_the_model_is_told_what_and_where(diagnostic: Diagnostic) -> None:
    engine = talking(["x = (\n```"])
    await chosen("fix.diagnostic", _target(diagnostic), engine)
    prompt = prompt_text(engine.requests[0])
    line = LINES.span(LINES.line_of(diagnostic.span.start)).text(TEXT).strip()
    assert f"in the line `{line}`" in prompt
    assert " ".join(diagnostic.message.split()) in prompt
    assert line in prompt.split("The lines to rewrite:")[-1].split("Task:")[0]


ANSWERS = {
    "F401": ("```", "import os\n", ""),
    "F841": (
        (
            "    def total(self, prices: dict[str, float]) -> int:\n        sum = 0.0\n"
            "        for item in self.items:\n"
            "            try:\n                sum += prices[item]\n            except:\n                pass\n"
            "        return sum\n```"
        ),
        "        unused = len(self.items)\n",
        "",
    ),
    "reportAttributeAccessIssue": (
        (
            "    def describe(self):\n        if self.owner == None:\n"
            '            return "Größe 🦎 %s" % len(self.items)\n'
            '        return json.dumps({"owner": self.owner, "items": lenght(self.items)})\n```'
        ),
        "len(self.itmes)",
        "len(self.items)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("code", ANSWERS)
async def test_the_answer_mends_it_and_nothing_else(code: str) -> None:
    answer, old, new = ANSWERS[code]
    proposal, after = await chosen("fix.diagnostic", _target(_named(code)), talking([answer]))
    assert proposal.reason == "ok"
    assert after == TEXT.replace(old, new, 1)


async def test_one_line_is_filled_by_a_model_without_a_template() -> None:
    engine = ScriptedEngine(['return "Größe 🦎 %s" % len(self.items)\n        return 1'])
    proposal, after = await chosen("fix.diagnostic", _target(_named("reportAttributeAccessIssue")), engine)
    assert (after, proposal.reason) == (TEXT.replace("itmes", "items"), "ok")
    assert engine.stopped == [None]
    prompt = prompt_text(engine.requests[0])
    assert '# Pyright reportAttributeAccessIssue: Cannot access attribute "itmes"' in prompt
    assert "# Fixed:" in prompt
    assert "Fixed" not in after


ONE_LINE_REFUSED = {
    "the same line": ("return x + y", "The model suggests no other text for this line."),
    "no line": ("\n\n", "The model suggests no other text for this line."),
    "a fence": ("```python", "The model suggests no other text for this line."),
    "a syntax error": ("return (x + y", "The edit would add a syntax error."),
}


@pytest.mark.parametrize(("answer", "message"), ONE_LINE_REFUSED.values(), ids=ONE_LINE_REFUSED)
async def test_a_bad_line_is_drawn_again_and_then_explained(answer: str, message: str) -> None:
    engine = ScriptedEngine([answer])
    target = aimed("def f(x):\n    return $0x + y$0\n", message="Undefined name `y`", code="F821")
    proposal, after = await chosen("fix.diagnostic", target, engine)
    assert (after, proposal.reason, proposal.message) == (None, "trimmed.check", message)
    first, second = engine.requests
    assert first.sampling.temperature == 0.0 < second.sampling.temperature


async def test_a_diagnostic_of_several_lines_needs_a_template() -> None:
    before = "$0def f(x):\n    return x$0\n"
    engine = ScriptedEngine(["x"])
    await engine.start()
    target = aimed(before, message="Function is too complex")
    assert not [action for action in TestWorkspace(engine).actions.available(target) if action.id == "fix.diagnostic"]
    _, after = await chosen("fix.diagnostic", target, talking(["def f(x):\n    return +x\n```"]))
    assert after == "def f(x):\n    return +x\n"


async def test_a_removed_line_leaves_no_empty_one() -> None:
    target = aimed("import sys\n$0import os$0\nimport re\n", message="unused")
    proposal, after = await chosen("fix.diagnostic", target, talking(["```"]))
    assert after == "import sys\nimport re\n"
    assert apply_edits(target.snapshot.text, proposal.edits) == after


EXAMPLE_BEFORE = "def joined(args, value):\n    if value:\n        args = $0args + (value,)$0\n    return args\n"


def _concatenation() -> Target:
    message = "Consider `(*args, value)` instead of concatenation"
    return aimed(EXAMPLE_BEFORE, message=message, code="RUF005", source="Ruff")


async def test_a_known_rule_is_shown_by_an_example_and_with_the_lines_alone() -> None:
    engine = talking(["args = (*args, value)\n```"])
    _, after = await chosen("fix.diagnostic", _concatenation(), engine)
    assert after == "def joined(args, value):\n    if value:\n        args = (*args, value)\n    return args\n"
    (request,) = engine.requests
    prompt = prompt_text(request)
    assert "```python\nnames = names + [name]\n```" in prompt
    assert "⟩assistant\n```python\nnames = [*names, name]\n```" in prompt
    assert "The lines to rewrite:\n```python\nargs = args + (value,)\n```" in prompt
    assert "def joined" not in prompt


async def test_the_second_answer_has_to_begin_otherwise_at_the_place_of_the_finding() -> None:
    engine = talking(["args = args + (value,)\n```", " (*args, value)\n```"])
    _, after = await chosen("fix.diagnostic", _concatenation(), engine)
    assert after == "def joined(args, value):\n    if value:\n        args = (*args, value)\n    return args\n"
    first, second = engine.requests
    assert first.sampling.grammar == ""
    assert second.sampling.grammar == 'root ::= " " [^\\x61] [^\\x00]*'
    assert prompt_text(second).endswith("assistant\n```python\nargs =")


async def test_a_rule_that_may_begin_as_before_is_asked_again_with_the_reason() -> None:
    target = aimed("def pairs(a, b):\n    return $0zip(a, b)$0\n", message="`zip()` without `strict=`", code="B905")
    engine = talking(["return zip(a, b)\n```", "return zip(a, b, strict=True)\n```"])
    _, after = await chosen("fix.diagnostic", target, engine)
    assert after == "def pairs(a, b):\n    return zip(a, b, strict=True)\n"
    assert "This cannot be used: the lines are the same as before" in prompt_text(engine.requests[1])
    assert all(request.sampling.grammar == "" for request in engine.requests)
