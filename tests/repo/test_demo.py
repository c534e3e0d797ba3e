"""The sample workspace works, and the demo shows what it says with the shipped model."""

import os
import re
import subprocess
import sys

import pytest

from tests.repo.source import ROOT

SAMPLE = ROOT / "samples" / "ledger"


def test_the_sample_passes_its_own_tests() -> None:
    command = [sys.executable, "-B", "-m", "unittest"]
    done = subprocess.run(command, cwd=SAMPLE, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr


@pytest.mark.model
def test_the_demo() -> None:
    environment = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout.split("What the model was shown")[1]
    context, action = shown.split("A code action")
    assert "ledger/entry.py" in context, "no definition of another file in the prompt"
    # The name is the model's where it is sure of one, which a rounding decides here.
    assert re.search(r"^\+def \w+\(lines, account, entries\)", action, re.MULTILINE), "no function of its own"
    assert "The model is spark-nano. It is part of spark-lsp" in done.stdout
    assert shown.count(" s\n") >= 2, "the time of each step"
