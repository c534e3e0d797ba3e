"""The local feedback file, summarised: outcomes, kept shares and percentiles; a broken line costs only itself."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from spark_lsp.cli.plots import MAX_DAYS, page
from spark_lsp.cli.stats_table import COLUMNS, cells
from spark_lsp.completion.statistics import FeedbackStatistics, read_statistics, statistics_of
from spark_lsp.errors import WorkspaceError


def _line(event: str, suggestion: str = "1-1", **more: Any) -> str:
    base = {"at": 1_700_000_000.0, "event": event, "suggestion": suggestion, "language": "python", "model": "nano",
            "characters": 10, "accepted_characters": 0, "latency_ms": 100.0}  # fmt: skip
    return json.dumps(base | more)


def _some() -> FeedbackStatistics:
    return statistics_of(
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
            _line("shown", "1-5", at=1_700_000_000_000.0),
        ]
    )


def test_fates_are_counted_once_a_suggestion() -> None:
    statistics = _some()
    go, python = statistics.rows
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
    assert statistics.unreadable_lines == 3


def test_the_sum_of_all_rows_is_over_all_suggestions() -> None:
    total = _some().total
    assert (total.suggestions, total.shown, total.accepted, total.accepted_characters) == (4, 3, 1, 13)
    assert (total.latency_p50_ms, total.kept_5min) == (150.0, 0.5)
    assert cells(total)[:5] == ("all", "", "3", "1", "33%")
    assert len(cells(total)) == len(COLUMNS)


def test_the_page_tells_every_name_in_full_and_one_slow_answer_hides_no_others() -> None:
    model = "a-model-of-a-long-name-" * 2
    lines = [_line("shown", f"1-{number}", model=model, latency_ms=100.0 + number) for number in range(200)]
    text = page(statistics_of([*lines, _line("shown", "2-1", model=model, latency_ms=60_000.0)]), "feedback.jsonl")
    assert text.count(f"python / {model}") >= 2
    assert f">{model}</td>" in text
    assert "without the slowest 2 of 201" in text
    drawn = re.findall(r">(\d+)</text>", text)
    assert max(map(int, drawn)) < 1000


def test_days_without_a_suggestion_are_days_too_and_old_ones_are_left_out() -> None:
    day_s, now_s = 86_400, 1_700_000_000.0
    text = page(statistics_of([_line("shown", f"{ago}-1", at=now_s - ago * day_s) for ago in (0, 4, 5000)]), "x")
    dates = re.findall(r">(20\d\d-\d\d-\d\d)<", text)
    assert 2 < len(set(dates)) <= MAX_DAYS
    assert min(dates) > "2023-07"


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_statistics(tmp_path / "none.jsonl").rows == ()


@pytest.mark.parametrize("statistics", [_some(), statistics_of([]), statistics_of([_line("shown", latency_ms=0)])])
def test_the_page_loads_and_runs_nothing(statistics: FeedbackStatistics) -> None:
    text = page(statistics, "feedback <&>.jsonl")
    assert "<script" not in text
    addresses = set(re.findall(r"(?:https?:)?//[^\"'\s<>]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(drawing)
    assert text.count("<figure>") == (4 if statistics.rows else 0)


def test_a_line_that_nests_too_deep_counts_as_unreadable() -> None:
    assert statistics_of(["[" * 100_000, '{"a":' * 100_000]).unreadable_lines == 2


def test_a_folder_in_place_of_the_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "feedback.jsonl").mkdir()
    with pytest.raises(WorkspaceError, match="cannot be read"):
        read_statistics(tmp_path / "feedback.jsonl")
