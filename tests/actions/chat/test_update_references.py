"""``update.references``: every call that the index knows, in one proposal, or none."""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.harness.fixture import parse_fixture
from spark_lsp.actions.base import BaselineText, Proposal
from spark_lsp.actions.checks.call_arguments import other_change
from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.text.edit import Span, apply_edits
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse
from tests.actions.chat.talk import aimed, chosen, prompt_text, talking
from tests.support.workspace import TestWorkspace, indexed

FILES = {
    "other.py": "from main import area\n\n\ndef f():\n    x = area(\n        1, 2\n    )\n    return x\n",
    "third.py": "import main\n\nprint(main.area(3, 4), area)\n",
    "fits.py": "from main import area\n\narea(1, 2, unit=3)\n",
    "word.txt": "area(1, 2)\n",
}
BEFORE = "def area(w, $0h, *, unit):\n    return w * h * unit\n\n\ntotal = area(5, 6)\n"
OPENED = BEFORE.replace("$0h, *, unit", "h").replace(" * unit", "")


def _answer(request: CompletionRequest) -> str:
    lines = prompt_text(request).split("The lines to rewrite:\n```python\n")[1].split("\n```")[0]
    fixed = lines.replace("1, 2\n", "1, 2, unit=1\n").replace("4)", "4, unit=1)").replace("6)", "6, unit=1)")
    return f"{fixed}\n```"


async def _updated(engine: ScriptedEngine, folder: Path, before: str = BEFORE) -> tuple[Proposal, str | None]:
    index = indexed(parse_fixture("".join(f"#- {name}\n{text}" for name, text in FILES.items()) + "$0"), folder)
    try:
        return await chosen("update.references", aimed(before), engine, index)
    finally:
        index.close()


async def test_every_call_is_changed_in_one_proposal(tmp_path: Path) -> None:
    engine = talking(_answer)
    proposal, after = await _updated(engine, tmp_path)
    assert (proposal.reason, proposal.message, proposal.asks) == ("ok", "", True)
    assert after is not None
    assert after.endswith("total = area(5, 6, unit=1)\n")
    changed = {file.path: apply_edits(file.text or "", file.edits) for file in proposal.files}
    assert changed == {
        "other.py": FILES["other.py"].replace("1, 2\n", "1, 2, unit=1\n"),
        "third.py": FILES["third.py"].replace("4)", "4, unit=1)"),
    }
    assert all("`def area(w, h, *, unit):`" in prompt_text(request) for request in engine.requests)


async def test_one_call_that_cannot_be_changed_leaves_all_as_they_are(tmp_path: Path) -> None:
    engine = talking(
        lambda request: _answer(request) if "third.py" not in prompt_text(request) else "print(main.area(\n```"
    )
    proposal, after = await _updated(engine, tmp_path)
    assert (after, proposal.files) == (None, ())
    assert proposal.message == "third.py:3: The edit would add a syntax error."


async def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    proposal, _ = await _updated(talking(_answer), tmp_path, "def nobody($0a):\n    return a\n")
    assert (proposal.reason, proposal.message) == ("empty", "Nothing calls nobody.")


OFFERED = {
    "on the signature": (BEFORE, ["Update the calls of area"]),
    "in the body": ("def f(a):\n    x = a\n    return $0x\n", []),
    "outside": ("x = $01\n", []),
}


@pytest.mark.parametrize(("before", "wanted"), OFFERED.values(), ids=OFFERED)
def test_available_on_the_signature_of_a_function(before: str, wanted: list[str]) -> None:
    available = TestWorkspace(talking(["x"])).actions.available(aimed(before))
    assert [action.title for action in available if action.id == "update.references"] == wanted


async def test_the_old_signature_is_shown(tmp_path: Path) -> None:
    engine = talking(_answer)
    index = indexed(parse_fixture("".join(f"#- {name}\n{text}" for name, text in FILES.items()) + "$0"), tmp_path)
    target = replace(aimed(BEFORE), baseline=BaselineText(OPENED, 0))
    try:
        proposal, after = await chosen("update.references", target, engine, index)
    finally:
        index.close()
    assert (proposal.reason, proposal.message) == ("ok", "")
    assert after is not None
    sentence = "The function area was declared as `def area(w, h):` when its calls were written, and is now declared as"
    assert all(sentence in prompt_text(request) for request in engine.requests)


CHANGES = {
    "a parameter without a default": (BEFORE, OPENED, "chat"),
    "a name": ("def area(w, $0h):\n    return w * h\n", "def area(w, x):\n    return w * h\n", "none"),
    "a name behind a decorator": (
        "@app.get\ndef area(w, $0h):\n    return w * h\n",
        "@app.get\ndef area(w, x):\n    return w * h\n",
        "chat",
    ),
    "nothing": ("def area(w, $0h):\n    return w\n", "def area(w, h):\n    return w * h\n", ""),
    "the result's type": ("def area(w, $0h) -> int:\n    return w\n", "def area(w, h):\n    return w\n", ""),
    "a function that was not there": ("def area(w, $0h):\n    return w\n", "", "chat"),
}


@pytest.mark.parametrize(("before", "opened", "needs"), CHANGES.values(), ids=CHANGES)
def test_what_it_needs(before: str, opened: str, needs: str) -> None:
    target = replace(aimed(before), baseline=BaselineText(opened, 0))
    available = TestWorkspace(talking(["x"])).actions.available(target)
    assert [action.needs for action in available if action.id == "update.references"] == ([needs] if needs else [])


OTHERS = {
    "function f($0a, b) {\n  return a;\n}\n": "function f(a) {\n  return a;\n}\n",
    "const f = ($0a, b) => {\n  return a;\n};\n": "const f = (a) => {\n  return a;\n};\n",
    "class A {\n  f($0a, b) {}\n}\nclass B {\n  f(a) {}\n}\n": "class A {\n  f(a) {}\n}\nclass B {\n  f(a) {}\n}\n",
}


@pytest.mark.parametrize("before", OTHERS)
def test_other_languages_are_compared_by_their_text(before: str) -> None:
    runner = TestWorkspace(talking(["x"])).actions
    for opened, wanted in ((OTHERS[before], ["chat"]), (before.replace("$0", ""), [])):
        target = replace(aimed(before, "main.js"), baseline=BaselineText(opened, 0))
        assert [action.needs for action in runner.available(target) if action.id == "update.references"] == wanted


STRAY = {
    "a definition in place of the call": ("6)", "6)\n\ndef area(w, h, *, unit=1):\n    return w * h"),
    "another name": ("total", "sum"),
    "an argument of another call": ("5, 6", "abs(6), unit=1"),
    "nothing at all": ("6)", "6)"),
}


@pytest.mark.parametrize(("old", "new"), STRAY.values(), ids=STRAY)
async def test_nothing_but_arguments_of_the_calls_may_change(tmp_path: Path, old: str, new: str) -> None:
    def answer(request: CompletionRequest) -> str:
        return _answer(request).replace("area(5, 6, unit=1)", "area(5, 6)").replace(old, new)

    proposal, after = await _updated(talking(answer), tmp_path)
    assert (after, proposal.files) == (None, ())
    assert proposal.message in {
        "main.py:5: More than the arguments of area would change.",
        "main.py:5: The argument 5 of area would be removed.",
        "main.py:5: area is called without unit.",
    }


SCRIPTS = [
    ("const t = area(1, 2);", "const t = area(1, 2, 3);", ""),
    ("const t = area(1, 2);", "const t = area(1,\n  2, { unit: 3 },\n);", ""),
    ("t = new Box(area(1), 2);", "t = new Box(area(1, 0), 2);", ""),
    ("t = area(1, 2) + 1;", "t = area(1, 2, 3) + 2;", "More than the arguments of area would change."),
    ("area(1, 2);", "function area(a, b) {}\narea(1, 2, 3);", "More than the arguments of area would change."),
    ("area(a, b);", "area(b, c);", "The argument a of area would be removed."),
    ("area(a, b);", "area(a);", ""),
]


@pytest.mark.parametrize(("before", "after", "problem"), SCRIPTS)
def test_what_else_changes_is_seen_in_other_languages(before: str, after: str, problem: str) -> None:
    old, new = parse(LANGUAGES["typescript"], before), parse(LANGUAGES["typescript"], after)
    assert old is not None
    assert new is not None
    assert other_change(old, Span(0, len(before)), new, Span(0, len(after)), "area") == problem
