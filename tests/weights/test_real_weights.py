"""The product on a model that people use: what a user sees through the server and the command line, checked."""

import ast
import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from scripts.harness.editor import REAL, Editor, editor
from spark_lsp.engine.local.local_engine import describe_model
from tests.repo.source import ROOT

pytestmark = [pytest.mark.weights, pytest.mark.e2e]

LEDGER = ROOT / "samples" / "ledger"
PATIENT = {"completion": {"deadlineMs": 60_000, "debounce": 0}, "engine": {"idleMinutes": 2}}
PATIENCE_S = 300.0
MISSING_BODY = "        ...\n"
WRITTEN_TEST = """
import unittest
from datetime import date

from ledger.account import Account
from ledger.entry import Entry
from ledger.money import Money


class TaggedTest(unittest.TestCase):
    def test_entries_with_a_tag_oldest_first(self):
        account = Account("wallet")
        late = Entry(date(2026, 11, 30), Money(100), "late", ("food", "fun"))
        other = Entry(date(2026, 11, 20), Money(300), "other", ("rent",))
        early = Entry(date(2026, 11, 2), Money(200), "early", ("food",))
        for entry in (late, other, early):
            account.post(entry)
        self.assertEqual(account.tagged("food"), [early, late])
        self.assertEqual(account.tagged("none"), [])


if __name__ == "__main__":
    unittest.main()
"""


@pytest.fixture
def private(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the sample workspace, with an engine and caches of the test's own."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "SPARK_LSP_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("SPARK_LSP_MODEL", str(weights))
    shutil.copytree(LEDGER, tmp_path / "ledger")
    yield tmp_path
    _spark("engine", "stop")


def _spark(*arguments: str, text: str = "") -> str:
    command = [sys.executable, "-m", "spark_lsp", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _completed(path: Path, typed: str, rest: str) -> str:
    """Complete on the command line behind ``typed``, where ``rest`` of the line is taken away."""
    text = path.read_text("utf-8")
    place = text.index(typed + rest) + len(typed)
    before = text[:place]
    position = f"{path}:{before.count(chr(10)) + 1}:{len(before.rpartition(chr(10))[2]) + 1}"
    answer = json.loads(
        _spark("complete", position, "--stdin", "--max-lines", "1", "--json", text=before + text[place + len(rest) :])
    )
    assert answer["model"]["family"] == "qwen2.5-coder"
    return "".join(item["insertText"] for item in answer["items"])


def test_the_family_and_the_chat_template_are_recognised(weights: Path) -> None:
    info = describe_model(weights)
    assert (info.family, info.has_chat_template) == ("qwen2.5-coder", True)
    assert info.trained_context_tokens == 32_768


def test_an_attribute_that_another_file_defines(private: Path) -> None:
    assert _completed(private / "ledger" / "ledger" / "account.py", "self.balance() + entry.", "amount") == "amount"


def test_a_written_body_passes_its_test(private: Path) -> None:
    """What the demo shows: the code action writes a body, and a test that the model has not seen passes on it."""
    file = private / "ledger" / "ledger" / "account.py"
    text = file.read_text("utf-8")
    assert text.endswith(MISSING_BODY)
    line = text[: text.index("def tagged(")].count("\n") + 1
    _spark("actions", f"{file}:{line}:9", "--apply", "implement.body", "--write")
    written = file.read_text("utf-8")
    assert written.startswith(text.removesuffix(MISSING_BODY))
    ast.parse(written)
    (private / "ledger" / "tests" / "test_tagged.py").write_text(WRITTEN_TEST, "utf-8")
    command = [sys.executable, "-B", "-m", "unittest"]
    done = subprocess.run(
        command, cwd=private / "ledger", capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{written.removeprefix(text.removesuffix(MISSING_BODY))}\n{done.stderr}"


UNFINISHED = """\
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"]


def first_weekday(names):
    return names[0]


def last_weekday(names):
    return $0
"""


@asynccontextmanager
async def window_on(folder: Path, weights: Path) -> AsyncIterator[Editor]:
    """A window with the real server on the model."""
    settings: dict[str, Any] = {**PATIENT, "model": str(weights)}
    async with editor("#- notes.py\nx = 1\n", folder, REAL, settings=settings) as window:
        yield window


async def test_a_known_hole_through_the_server_and_after_the_engine_was_killed(private: Path, weights: Path) -> None:
    async with window_on(private, weights) as window:
        async with asyncio.timeout(PATIENCE_S):
            at = window.open("days.py", UNFINISHED)
            item = await _answer(window, at)
            assert item.insert_text == "names[-1]"
            pid = json.loads(await asyncio.to_thread(_spark, "engine", "status", "--json"))["pid"]
            os.kill(pid, 9)
            at = window.open("again.py", UNFINISHED.replace("last_weekday", "last_day"))
            item = await _answer(window, at, "again.py")
            assert item.insert_text == "names[-1]", "the engine is back"


async def _answer(window: Editor, at: types.Position, path: str = "days.py") -> types.InlineCompletionItem:
    """Ask by hand until there is an answer: the engine may still be loading."""
    while True:
        item = await window.complete(path, at, by_hand=True)
        if item is not None:
            return item
        await window.send("spark/log", {})
