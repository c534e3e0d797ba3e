"""``spark-lsp actions`` with the embedded model: the documented JSON, an edit that parses, or one error message."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import parse
from tests.llama.gguf_files import with_chat

LEDGER = Path(__file__).parents[2] / "samples" / "ledger"
PLACE_LINE = '    def is_open(self) -> bool:\n        """Return whether the account may still be used."""\n'
USAGE = {
    "prompt_tokens", "cached_tokens", "prefill_tokens", "generated_tokens", "drafted_tokens", "accepted_draft_tokens",
    "decode_steps", "restored_tokens", "compute_ms",
    "first_token_ms", "total_ms",
}  # fmt: skip


def _spark(variables: dict[str, str], *arguments: str, code: int = 0) -> str:
    answer = subprocess.run(
        [sys.executable, "-m", "spark_lsp", *arguments],
        env=variables,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=90,
        check=False,
    )
    assert answer.returncode == code, answer.stderr
    return answer.stdout if code == 0 else answer.stderr


@pytest.fixture
def variables(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return a private environment in which no engine is left running. Sockets need a short path."""
    with tempfile.TemporaryDirectory(prefix="spark-") as runtime:
        private = {name: str(tmp_path / name) for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME")}
        environment = {**os.environ, **private, "SPARK_LSP_RUNTIME_DIR": runtime, "PYTHONIOENCODING": "utf-8"}
        yield environment
        _spark(environment, "engine", "stop")


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """The sample's account, with a method that has no body yet."""
    shutil.copytree(LEDGER, tmp_path / "ledger")
    file = tmp_path / "ledger" / "ledger" / "account.py"
    text = file.read_text("utf-8").rstrip("\n") + "\n\n" + PLACE_LINE
    file.write_bytes(text.encode("utf-8"))
    return file


def _line(account: Path) -> int:
    text = account.read_text("utf-8")
    return text[: text.index("def is_open")].count("\n") + 1


@pytest.mark.model
def test_list_and_apply_with_the_shipped_model(account: Path, variables: dict[str, str]) -> None:
    place = f"{account}:{_line(account)}:9"
    before = account.read_bytes()
    available = json.loads(_spark(variables, "actions", place, "--json"))
    assert available == [
        {"id": "implement.body", "kind": "refactor.rewrite.implement", "title": "Implement is_open", "needs": "fim"}
    ]
    answer = json.loads(_spark(variables, "actions", place, "--apply", "implement.body", "--json"))
    assert account.read_bytes() == before
    assert answer.keys() == {"id", "edits", "diff", "reason", "message", "refusal", "assumptions", "verdicts", "stats"}
    assert answer["id"] == "implement.body"
    assert answer["stats"].keys() == USAGE
    assert answer["stats"]["prompt_tokens"] > 0
    if answer["reason"] == "ok":
        _check_edit(account, answer)
    else:
        assert (answer["edits"], answer["diff"]) == ([], "")
        assert answer["message"].endswith(".")
        assert "\n" not in answer["message"]


def _check_edit(account: Path, answer: dict[str, Any]) -> None:
    text = account.read_text("utf-8")
    (edit,) = answer["edits"]
    assert edit.keys() == {"path", "range", "newText"}
    assert edit["path"] == "ledger/account.py"
    lines = text.split("\n")
    start, end = (
        sum(len(line) + 1 for line in lines[: at["line"]]) + at["character"]
        for at in (edit["range"]["start"], edit["range"]["end"])
    )
    after = text[:start] + edit["newText"] + text[end:]
    assert after.startswith(text.rstrip())
    syntax = parse(LANGUAGES["python"], after)
    assert syntax is not None
    assert syntax.error_count == 0
    compile(after, str(account), "exec")
    assert answer["diff"].startswith("--- a/ledger/account.py\n+++ b/ledger/account.py\n@@")
    assert answer["message"] == ""


@pytest.mark.model
def test_nothing_to_apply_is_said_plainly(account: Path, variables: dict[str, str]) -> None:
    assert json.loads(_spark(variables, "actions", f"{account}:1:1", "--json")) == []
    output = _spark(variables, "actions", f"{account}:1:1", "--apply", "implement.body", code=1)
    assert "does not apply here" in output
    assert "Traceback" not in output


TEMPLATE = "{% for m in messages %}<|file_sep|>{{ m.role }}\n{{ m.content }}\n{% endfor %}<|file_sep|>assistant\n"


@pytest.mark.model
def test_a_model_with_a_chat_template_is_talked_to(account: Path, variables: dict[str, str], tmp_path: Path) -> None:
    """The embedded model with a chat template: everything but the quality of its answers is real."""
    model = str(with_chat(tmp_path / "chat.gguf", TEMPLATE))
    place = f"{account}:{_line(account)}:9"
    available = json.loads(_spark(variables, "actions", place, "--json", "--model", model, "--instruction", "be brief"))
    assert {"rewrite", "simplify"} <= {action["id"] for action in available if action["needs"] == "chat"}
    arguments = ("--apply", "rewrite", "--instruction", "be brief", "--json", "--model", model)
    answer = json.loads(_spark(variables, "actions", place, *arguments))
    assert answer["stats"]["prompt_tokens"] > 100
    assert answer["stats"]["generated_tokens"] > 0
    assert (answer["reason"] == "ok") == bool(answer["edits"])
    assert bool(answer["message"]) != bool(answer["edits"])


@pytest.mark.model
def test_a_model_without_a_chat_template_says_what_it_lacks(account: Path, variables: dict[str, str]) -> None:
    output = _spark(variables, "actions", f"{account}:{_line(account)}:9", "--apply", "simplify", code=1)
    assert "simplify needs a model with a chat template" in output
