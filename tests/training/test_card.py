"""The model card: figures with intervals, from the answers of an evaluation."""

import dataclasses
import json
from pathlib import Path

from models.training.card import MODES, main, page, report
from models.training.scores import Outcome

FACTS = {
    "parameters": 6_524_928,
    "megabytes": 7.2,
    "context_tokens": 2048,
    "prompt_tokens": 1024,
    "minutes": 136,
    "tokens": 8.5,
    "loss": 2.7,
    "loss_middle": 3.1,
    "read_speed": 3000,
    "write_speed": 220,
}


def outcomes(exact: dict[str, list[bool]]) -> list[Outcome]:
    return [
        Outcome("httpx", "a.py", "line", mode, "x", "x", hit, 1.0 if hit else 0.5, ends=True)
        for mode, hits in exact.items()
        for hit in hits
    ]


def test_the_card_tells_exact_matches_and_what_context_is_worth(tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF")
    answers = outcomes(
        {"context": [True, True, False, True], "none": [True, False, False, False], "random": [False] * 4}
    )
    card = report(model, answers, outcomes({"context": [False] * 4}), FACTS)
    text = page(card)
    assert "| rest of a line | the packer's context | 4 | 0.750 [0.301, 0.954] | 0.875 | 1.00 |" in text
    assert "- rest of a line: +0.500 ± 0.566 over no context" in text
    assert "The file that it replaces" in text
    assert "6,524,928 parameters" in text
    assert "replaces" not in page(report(model, answers, [], FACTS))


def test_the_command_writes_what_the_page_is_made_from(tmp_path: Path) -> None:
    model, answers, target = tmp_path / "m.gguf", tmp_path / "answers.jsonl", tmp_path / "evaluation.json"
    model.write_bytes(b"GGUF")
    all_outcomes = outcomes({mode: [True, False] for mode in MODES})
    answers.write_text("".join(json.dumps(dataclasses.asdict(answer)) + "\n" for answer in all_outcomes), "utf-8")
    facts = [f"{key}={value}" for key, value in FACTS.items()]
    assert main([str(model), "--answers", str(answers), "--to", str(target), "--fact", *facts]) == 0
    data = json.loads(target.read_text("utf-8"))
    assert {row["exact"] for row in data["figures"]} == {0.5}
    assert data["tokens"] == 8.5
    assert page(data).startswith("# Model card")
