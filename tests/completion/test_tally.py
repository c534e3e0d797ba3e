"""The local feedback file, added up: fates, kept shares and percentiles; broken lines cost themselves alone."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from spark_lsp.cli.plots import page
from spark_lsp.completion.tally import Tally, read_tally, tally_of


def _line(event: str, suggestion: str = "1-1", **more: Any) -> str:
    base = {"at": 1_700_000_000.0, "event": event, "suggestion": suggestion, "language": "python", "model": "nano",
            "characters": 10, "accepted_characters": 0, "latency_ms": 100.0}  # fmt: skip
    return json.dumps(base | more)


def _some() -> Tally:
    return tally_of(
        [
            _line("shown"),
            _line("partly_accepted", accepted_characters=4),
            _line("accepted", accepted_characters=10),
            _line("kept", accepted_characters=10, after_s=30, kept_characters=10),
            _line("kept", accepted_characters=10, after_s=300, kept_characters=5),
            _line("rejected", "1-2", latency_ms=300.0),
            _line("partly_accepted", "1-3", latency_ms=200.0, accepted_characters=3),
            _line("shown", "1-4", language="go", latency_ms=50.0),
            "{",
            '"a text"',
        ]
    )


def test_fates_are_counted_once_a_suggestion() -> None:
    tally = _some()
    go, python = tally.rows
    assert (go.language, go.suggestions, go.shown, go.kept_30s) == ("go", 1, 1, None)
    assert (python.suggestions, python.shown, python.accepted, python.partly_accepted, python.rejected) == (
        3,
        2,
        1,
        1,
        1,
    )
    assert (python.accepted_characters, python.kept_30s, python.kept_5min) == (13, 1.0, 0.5)
    assert (python.latency_p50_ms, python.latency_p99_ms) == (200.0, 298.0)
    assert tally.unreadable_lines == 2


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_tally(tmp_path / "none.jsonl").rows == ()


@pytest.mark.parametrize("tally", [_some(), tally_of([]), tally_of([_line("shown", latency_ms=0)])])
def test_the_page_loads_and_runs_nothing(tally: Tally) -> None:
    text = page(tally, "feedback <&>.jsonl")
    assert "<script" not in text
    addresses = set(re.findall(r"(?:https?:)?//[^\"'\s<>]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(drawing)
    assert text.count("<figure>") == (4 if tally.rows else 0)
