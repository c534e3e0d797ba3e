"""Compare with expected text. ``UPDATE_EXPECT=1`` rewrites snapshots that are in files; then read the diff."""

import difflib
import os
import textwrap
from pathlib import Path


def expect(actual: str, expected: str) -> None:
    """Compare with text written inline; both are dedented and stripped of blank ends."""
    left, right = _tidy(expected), _tidy(actual)
    assert left == right, "\n" + _diff(left, right, "expected in the test")


def expect_file(actual: str, snapshot: Path) -> None:
    """Compare with a snapshot file, or write it when ``UPDATE_EXPECT=1``."""
    actual = actual.rstrip("\n") + "\n"
    if os.environ.get("UPDATE_EXPECT") == "1":
        snapshot.parent.mkdir(parents=True, exist_ok=True)
        snapshot.write_text(actual, "utf-8")
        return
    assert snapshot.is_file(), f"{snapshot} is missing; UPDATE_EXPECT=1 writes it"
    expected = snapshot.read_text("utf-8")
    assert expected == actual, "\n" + _diff(expected, actual, snapshot.name) + "\nUPDATE_EXPECT=1 rewrites it"


def _tidy(text: str) -> str:
    lines = [line.rstrip() for line in textwrap.dedent(text).split("\n")]
    return "\n".join(lines).strip("\n")


def _diff(expected: str, actual: str, name: str) -> str:
    return "\n".join(difflib.unified_diff(expected.split("\n"), actual.split("\n"), name, "actual", lineterm=""))
