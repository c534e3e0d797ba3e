"""``rewrite`` and ``simplify``: the prompt, accepted answers, and refusals with their reasons."""

import asyncio
from pathlib import Path

import pytest

from scripts.harness.fixture import parse_fixture
from spark_lsp.actions.base import ActionRunner
from spark_lsp.actions.catalog import CATALOG
from spark_lsp.config import ActionsSettings
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.errors import ModelUnusable
from tests.actions.chat.talk import aimed, chosen, prompt_text, talking
from tests.support.workspace import TestWorkspace, indexed

BEFORE = "import os\n\n\ndef area(w, h):\n    $0result = w * h\n    return result$0\n\n\nprint(area(1, 2))\n"
AFTER = "import os\n\n\ndef area(w, h):\n    return w * h\n\n\nprint(area(1, 2))\n"


@pytest.mark.parametrize("chunk_chars", [1, 5, 1000])
async def test_the_answer_takes_the_place_of_the_lines(chunk_chars: int) -> None:
    engine = talking(["    return w * h\n```\nI made it shorter."], chunk_chars)
    proposal, after = await chosen("rewrite", aimed(BEFORE, instruction="make it shorter"), engine)
    assert (after, proposal.reason, proposal.asks) == (AFTER, "ok", True)
    assert proposal.usage.generated_tokens > 0


async def test_what_the_model_is_shown() -> None:
    engine = talking(["    return w * h\n```"])
    await chosen("rewrite", aimed(BEFORE, instruction="make  it\nshorter"), engine)
    (request,) = engine.requests
    prompt = prompt_text(request)
    assert prompt.startswith("⟨<|im_start|>⟩system\nYou edit source code.")
    assert prompt.endswith("⟨<|im_start|>⟩assistant\n```python\n")
    assert "The lines to rewrite:\n```python\n    result = w * h\n    return result\n```" in prompt
    assert "Task: make it shorter⟨<|im_end|>⟩" in prompt
    assert "import os" in prompt.split("Above the lines stands:")[1]
    assert "print(area(1, 2))" in prompt.split("Below the lines stands:")[1]
    assert request.drafts[0].startswith("    result = w * h\n    return result\n```")
    assert (request.priority, request.sampling.temperature, request.sampling.grammar) == (1, 0.0, "")


async def test_definitions_of_other_files_are_shown(tmp_path: Path) -> None:
    fixture = parse_fixture("#- shapes.py\ndef square(side):\n    return side * side\n#- main.py\nx = 1$0\n")
    engine = talking(["    return square(w)\n```"])
    before = "from shapes import square\n\n\ndef area(w):\n    $0return w * w$0\n"
    index = indexed(fixture, tmp_path)
    _, after = await chosen("rewrite", aimed(before, instruction="use square"), engine, index)
    index.close()
    assert after == "from shapes import square\n\n\ndef area(w):\n    return square(w)\n"
    assert "shapes.py: def square(side):" in prompt_text(engine.requests[0])


CASES = {
    "indented from the margin": ("return w * h\n```", "    return w * h"),
    "fenced once more": ("```python\n    return w * h\n```", "    return w * h"),
    "without a fence at the end": ("    return w * h\n", "    return w * h"),
    "with empty lines around": ("\n\n    return w * h\n\n\n```", "    return w * h"),
    "with a string of several lines": (
        'text = """a\n  b\n"""\nreturn text * h\n```',
        '    text = """a\n  b\n"""\n    return text * h',
    ),
}


@pytest.mark.parametrize(("answer", "lines"), CASES.values(), ids=CASES)
async def test_answers_are_understood(answer: str, lines: str) -> None:
    _, after = await chosen("rewrite", aimed(BEFORE, instruction="x"), talking([answer]))
    assert after == AFTER.replace("    return w * h", lines)


async def test_line_ends_and_tabs_of_the_document_stay() -> None:
    before = "func f() {\r\n$0\tx := 1\r\n\tuse(x)\r\n$0}\r\n"
    engine = talking(["for {\n    use(1)\n}\n```"])
    _, after = await chosen("rewrite", aimed(before, "main.go", instruction="loop"), engine)
    assert after == "func f() {\r\n\tfor {\r\n\t\tuse(1)\r\n\t}\r\n}\r\n"


REFUSED = {
    "a syntax error": ("    return w *\n```", "trimmed.check", "The edit would add a syntax error."),
    "brackets left open": ("    return (w,\n```", "trimmed.check", "The edit would add a syntax error."),
    "a repeat": (
        "    result = w * h\n    return result\n```",
        "empty",
        "The model returned the lines unchanged.",
    ),
    "nothing": ("```", "empty", "The model's answer is empty."),
}


@pytest.mark.parametrize(("answer", "reason", "message"), REFUSED.values(), ids=REFUSED)
async def test_a_bad_answer_is_asked_again_and_then_explained(answer: str, reason: str, message: str) -> None:
    engine = talking([answer])
    proposal, after = await chosen("rewrite", aimed(BEFORE, instruction="x"), engine)
    assert (after, proposal.reason, proposal.message) == (None, reason, message)
    first, second = engine.requests
    assert message not in prompt_text(first)
    expected = message if reason != "empty" or answer == "```" else "the lines are the same as before"
    assert f"This cannot be used: {expected}" in prompt_text(second)
    assert first.sampling.temperature == 0.0 < second.sampling.temperature


async def test_the_second_answer_counts() -> None:
    proposal, after = await chosen(
        "rewrite", aimed(BEFORE, instruction="x"), talking(["return (\n```", "return w * h\n```"])
    )
    assert (after, proposal.reason) == (AFTER, "ok")


async def test_an_answer_without_end_is_refused() -> None:
    engine = talking(["    x = 1  # and\n" * 400])
    proposal, after = await chosen("rewrite", aimed(BEFORE, instruction="x"), engine)
    assert after is None
    assert proposal.message.startswith("The model's answer did not end within ")


async def test_a_name_that_others_use_must_stay(tmp_path: Path) -> None:
    fixture = parse_fixture("#- other.py\nfrom main import area\n\nprint(area(1, 2))\n#- main.py\nx = 1$0\n")
    index = indexed(fixture, tmp_path)
    before = "def area(w, h):\n    return w * $0h\n"
    engine = talking(["def size(w, h):\n    return w * h\n```"])
    proposal, after = await chosen("rewrite", aimed(before, instruction="rename"), engine, index)
    index.close()
    assert (after, proposal.message) == (None, "area would be removed, but other code uses it.")
    own = "def area(w, h):\n    return w * $0h\n\n\nprint(area(1, 2))\n"
    proposal, after = await chosen("rewrite", aimed(own, instruction="rename"), engine)
    assert (after, proposal.message) == (None, "area would be removed, but other code uses it.")
    _, after = await chosen("rewrite", aimed(before, instruction="rename"), engine)
    assert after == "def size(w, h):\n    return w * h\n"


async def test_a_comment_above_can_ask() -> None:
    before = "x = 1\n\n# spark: make it\n# shorter\ndef area(w, h):\n    result = w * h$0\n    return result\n"
    engine = talking(["def area(w, h):\n    return w * h\n```"])
    target = aimed(before)
    await engine.start()
    available = TestWorkspace(engine).actions.available(target)
    assert "Rewrite: make it shorter" in [action.title for action in available]
    _, after = await chosen("rewrite", target, engine)
    assert after == "x = 1\n\ndef area(w, h):\n    return w * h\n"


def test_rewrite_is_not_listed_without_an_instruction() -> None:
    available = TestWorkspace(talking(["x"])).actions.available(aimed(BEFORE))
    assert [action.id for action in available if action.needs == "chat"] == ["simplify"]


async def test_simplify_asks_for_the_same_behaviour() -> None:
    engine = talking(["    return w * h\n```"])
    proposal, after = await chosen("simplify", aimed(BEFORE), engine)
    assert (after, proposal.asks) == (AFTER, False)
    assert "without changing what it does" in prompt_text(engine.requests[0])


async def test_the_edit_touches_changed_lines_only() -> None:
    before = "def f():\n    $0a = 1\n    b = 2\n    c = 3$0\n"
    proposal, _ = await chosen(
        "rewrite", aimed(before, instruction="x"), talking(["    a = 1\n    b = 5\n    c = 3\n```"])
    )
    (edit,) = proposal.edits
    assert edit.new_text == "    b = 5\n"


async def test_lines_that_do_not_fit_are_refused() -> None:
    engine = ScriptedEngine(["x"], context_tokens=600, chat_template="{{ messages[1].content }}")
    before = "$0" + "x = 1\n" * 300 + "$0"
    proposal, after = await chosen("simplify", aimed(before), engine)
    assert (after, proposal.reason, engine.requests) == (None, "gate.too_large", [])
    assert "do not fit into the model" in proposal.message


async def test_what_surrounds_gives_way_in_a_small_context() -> None:
    engine = ScriptedEngine(
        ["    return w * h\n```"],
        context_tokens=900,
        chat_template="{% for m in messages %}{{ m.content }}{% endfor %}",
    )
    before = "# far away\n" * 500 + BEFORE
    _, after = await chosen("rewrite", aimed(before, instruction="x"), engine)
    assert after == "# far away\n" * 500 + AFTER
    assert prompt_text(engine.requests[0]).count("# far away") < 60


async def test_a_model_without_a_template_is_not_asked() -> None:
    engine = ScriptedEngine(["x"])
    await engine.start()
    workspace = TestWorkspace(engine)
    assert not [
        action for action in workspace.actions.available(aimed(BEFORE, instruction="x")) if action.needs == "chat"
    ]
    proposal = await workspace.actions.propose("rewrite", aimed(BEFORE, instruction="x"))
    assert (proposal.reason, proposal.message) == (
        "empty",
        "rewrite needs a model with a chat template, and scripted has none.",
    )


async def test_a_model_that_turns_out_to_have_no_template_says_so() -> None:
    workspace = TestWorkspace(ScriptedEngine(["x"]))
    runner = ActionRunner(CATALOG, workspace.engine, workspace.context, ActionsSettings(), workspace.log.append)
    with pytest.raises(ModelUnusable, match="no chat template"):
        await runner.propose("rewrite", aimed(BEFORE, instruction="x"))


async def test_cancelling_stops_the_model() -> None:
    engine = talking(["    return w * h\n```"])
    await engine.start()
    engine.hold()
    workspace = TestWorkspace(engine)
    choice = asyncio.create_task(workspace.actions.propose("rewrite", aimed(BEFORE, instruction="x")))
    await engine.arrived.wait()
    choice.cancel()
    with pytest.raises(asyncio.CancelledError):
        await choice
    assert (engine.stopped, workspace.reasons) == ([None], ["cancelled"])


async def test_a_second_choice_in_the_document_replaces_the_first() -> None:
    engine = talking(["    return w * h\n```"])
    await engine.start()
    engine.hold()
    workspace = TestWorkspace(engine)
    first = asyncio.create_task(workspace.actions.propose("rewrite", aimed(BEFORE, instruction="x")))
    await engine.arrived.wait()
    engine.arrived.clear()
    second = asyncio.create_task(workspace.actions.propose("simplify", aimed(BEFORE)))
    await engine.arrived.wait()
    engine.release()
    assert [proposal.reason for proposal in await asyncio.gather(first, second)] == ["superseded", "ok"]


async def test_progress_counts_tokens_and_the_model_is_stopped_behind_its_fence() -> None:
    seen: list[tuple[int, float]] = []
    engine = talking(["    return w * h\n```\n" + "and so on\n" * 200])
    await engine.start()
    target = aimed(BEFORE, instruction="x")
    proposal = await TestWorkspace(engine).actions.propose("rewrite", target, lambda *progress: seen.append(progress))
    assert seen[-1][0] == proposal.usage.generated_tokens < 30
    assert all(rate > 0 for tokens, rate in seen if tokens)
    assert engine.stopped == [None]


async def test_lines_that_did_not_change_are_asked_for_again_by_an_example() -> None:
    engine = talking(["    result = w * h\n    return result\n```", "    return w * h\n```"])
    _, after = await chosen("rewrite", aimed(BEFORE, instruction="Make it one line."), engine)
    assert after == AFTER
    first, second = (prompt_text(request) for request in engine.requests)
    assert "Task: Return 0 for a box that is empty." in second
    assert "box.is_empty" not in first
    assert "print(area(1, 2))" in first
    assert "print(area(1, 2))" not in second
    assert "The lines to rewrite:\n```python\nresult = w * h\nreturn result\n```" in second


async def test_an_answer_that_cannot_be_used_is_not_shown_again() -> None:
    engine = talking(["    return w * (\n```", "    return w * h\n```"])
    _, after = await chosen("rewrite", aimed(BEFORE, instruction="x"), engine)
    assert after == AFTER
    assert "return w * (" not in prompt_text(engine.requests[1])
