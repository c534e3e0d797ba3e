"""Measure how long a list of actions takes on a long file: at random places of one text, and after each of many keys.

Measures processor time, so that other programs on the machine do not count.
"""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from spark_lsp.actions.base import BaselineText, Diagnostic, Prechecks, Target
from spark_lsp.actions.catalog import CATALOG
from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import LineTable, Snapshot

LINES: Final = 5000
TRIES: Final = 300
PLACES: Final = 12
TYPED: Final = "  # ok"


def measure(root: Path) -> str:
    """Return median and p95 in milliseconds of processor time, on 5,000 lines of the project's own sources."""
    python = _text_of(sorted((root / "spark_lsp").rglob("*.py")))
    script = _text_of(sorted((root / "editors" / "vscode" / "src").glob("*.ts")))
    return _measured(python, "main.py", "python") + _measured(script, "main.ts", "typescript")


def _text_of(files: list[Path]) -> str:
    """Return the lines of files, repeated until there are enough."""
    lines = "".join(path.read_text("utf-8") for path in files).split("\n")
    return "\n".join((lines * (LINES // len(lines) + 1))[:LINES]) + "\n"


def _measured(text: str, name: str, language: str) -> str:
    dice = random.Random(1)  # noqa: S311 - chooses places, keeps no secret

    def listed(text: str, baseline: str = "") -> float:
        return _listed(_target(text, name, language, dice, baseline))

    listed(text)
    same = [listed(text) for _ in range(TRIES)]
    listed(text, f"{text}\n")
    reasons = [listed(text, f"{text}\n") for _ in range(TRIES)]
    after = []
    for _ in range(PLACES):
        table = LineTable.of(text)
        at = dice.choice([end for start, end in zip(table.starts, table.ends, strict=True) if start < end])
        for key in TYPED:
            text = text[:at] + key + text[at:]
            at += 1
            after.append(listed(text))
    return (
        f"{language}, lists on {LINES} lines, {TRIES} places: {_told(same)}\n"
        f"with a diagnostic, signatures as they were, and reasons of what would be refused: {_told(reasons)}\n"
        f"after each of {len(after)} keys: {_told(after)}\n"
    )


def _target(text: str, name: str, language: str, dice: random.Random, baseline: str) -> Callable[[], Target]:
    """Return a function that makes the target at a random place; with a baseline text, one with a full request."""
    lines = LineTable.of(text)
    first = dice.randrange(len(lines) - 40)
    last = first + dice.choice((0, 0, 1, 3, 30))
    span = Span(lines.starts[first] if dice.random() < 0.6 else lines.ends[last], lines.ends[last])
    path = Path("/w") / name
    snapshot = Snapshot(path.as_uri(), path, 1, language, text)
    diagnostics = (Diagnostic(span, "what is wrong", "X1", "a server"),) if baseline else ()
    was = BaselineText(baseline, 0) if baseline else None
    return lambda: replace(Target.of(snapshot, span, diagnostics), baseline=was)


def _listed(target_of: Callable[[], Target]) -> float:
    began = time.process_time()
    target = target_of()
    for action in CATALOG:
        if action.applies(target) and target.baseline and isinstance(action, Prechecks):
            action.precheck(target)
    return (time.process_time() - began) * 1000


def _told(times: list[float]) -> str:
    return f"median {statistics.median(times):.1f} ms, p95 {statistics.quantiles(times, n=20)[18]:.1f} ms"
