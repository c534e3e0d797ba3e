"""The evaluation of code actions: mutants, stored answers, the table."""

from pathlib import Path

from scripts.judge_actions.mutants import mutants_of
from scripts.judge_actions.recorded import RecordedEngine
from scripts.judge_actions.table import table
from spark_lsp.engine.base import CompletionRequest, TextPart
from spark_lsp.engine.testing import ScriptedEngine


def test_a_function_is_changed_in_each_of_its_operators() -> None:
    text = "def other():\n    return 1 + 1\n\n\ndef f(a, b):\n    return a + b if a < b and a else 0\n"
    changed = [mutant.rpartition("\n    ")[2] for mutant in mutants_of(text, "f")]
    assert changed == [
        "return None",
        "return a + b if a < b or a else 0",
        "return a - b if a < b and a else 0",
        "return a + b if a >= b and a else 0",
    ]


async def _answer(engine: RecordedEngine, most: int | None = None) -> str:
    reported = ""
    async for chunk in engine.generate(CompletionRequest((TextPart("x"),), 99)):
        reported += chunk.text
        if most is not None and len(reported) >= most:
            break
    return reported


async def test_an_answer_is_asked_for_once(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    real = ScriptedEngine(["one two three four"])
    engine = RecordedEngine(real, file)
    await engine.start()
    assert await _answer(engine) == await _answer(engine) == "one two three four"
    again = RecordedEngine(real, file)
    assert await _answer(again) == "one two three four"
    assert len(real.requests) == 1


def test_the_table_counts_outcomes() -> None:
    row = {"action": "document", "model": "m", "reason": "ok", "message": ""}
    refused = {**row, "outcome": "refused", "reason": "empty", "message": "Nothing."}
    text = table([{**row, "outcome": "right"}, {**row, "outcome": "wrong"}, refused])
    assert "| `document` | m | 3 | 1 | 1 | 1 | 50% |" in text
    assert text.endswith("1 × document m empty: Nothing.\n")
