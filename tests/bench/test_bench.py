"""The report of ``bench``, with the embedded model and small sizes: complete and plausible, not fast."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from spark_lsp.bench.asking import OneTokenWords, middle, percentile, private_place, ratio
from spark_lsp.bench.throughput import RENAMES, Rename, longest_drafts
from spark_lsp.cli import build as command_line
from spark_lsp.engine.base import TextPart
from spark_lsp.engine.local.address import RUNTIME_VARIABLE

SMALL = ("--context-tokens", "512", "--threads", "1", "--rounds", "1", "--json")


def run(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(command_line(["bench"]), ["bench", *words, *SMALL], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The folder of the benchmarks; no process of theirs may remain at the end."""
    with tempfile.TemporaryDirectory(prefix="sb-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield folder
        lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
        assert [line for line in lines if folder in line] == []
        assert list(Path(folder).iterdir()) == []


@pytest.mark.model
@pytest.mark.usefixtures("place")
def test_latency_reports_every_part() -> None:
    report = run("latency", "--volatile", "16", "--tries", "2")
    contract = {"model", "context_tokens", "cold_first_token_ms", "warm_first_token_ms", "ratio", "volatile_tokens"}
    assert contract | {"decode_tokens_per_s", "bare_decode_tokens_per_s", "threads", "cores"} <= set(report)
    assert report["volatile_tokens"] == 16
    assert report["cold_first_token_ms"] > 0 < report["warm_first_token_ms"]
    assert 0 < report["decode_compute_share"] <= 1

    assert [row["asked_tokens"] for row in report["series"]] == [1, 16, 64, 256, 512]
    for row in report["series"]:
        assert row["volatile_tokens"] == row["asked_tokens"], "only what is new behind the prompt is read"
        assert 0 < row["compute_ms"] <= row["engine_ms"] <= row["warm_first_token_ms"]
        assert row["bare_ms"] > 0

    restart = report["restart"]
    assert restart["files"] == 1
    assert restart["restored_tokens"] == report["prompt_tokens"]
    assert restart["read_tokens"] == 0
    assert 0 < restart["ready_ms"] < restart["resident_ms"]

    busy = report["busy"]
    assert busy["tries"] == 2
    assert 0 < busy["background_chunk_ms"] <= busy["background_chunk_p95_ms"]
    assert 0 <= busy["wait_behind_trunk_ms"] <= busy["wait_behind_trunk_p95_ms"]

    memory = report["memory"]
    assert memory["cells"] >= report["context_tokens"]
    needed = memory["weights_bytes"] + memory["kv_bytes"] + memory["compute_bytes"]
    assert 0 < memory["beyond_bytes"] == memory["rss_bytes"] - needed < 300e6, "the promised bound of 300 MB"


@pytest.mark.model
@pytest.mark.usefixtures("place")
def test_throughput_writes_the_same_with_drafts_and_without() -> None:
    report = run("throughput", "--answer-tokens", "8")
    assert [case["name"] for case in report["renames"]] == [rename.name for rename in RENAMES]
    for case in [*report["renames"], *report["copies"]]:
        assert case["identical"]
        assert case["steps"] <= case["tokens"]
        assert case["accepted_draft_tokens"] <= case["drafted_tokens"]
    assert report["rename_tokens_per_step"] >= 1
    assert report["rename_tokens_per_step_of_longest_drafts"] >= 4, (
        "the promised bound, which no load of the machine moves"
    )
    assert report["new_code"]["identical"] == 1
    assert report["new_code"]["speed_ratio"] > 0


def test_renames_change_nothing_but_the_name() -> None:
    for rename in RENAMES:
        before, after = rename.texts()
        assert before != after
        assert rename.new not in before, "or it could not be told what was renamed"
        assert after.replace(rename.new, rename.old) == before


def test_the_region_is_where_the_name_is() -> None:
    def long() -> None:
        """Say nothing of it for many lines."""

    lines = Rename(long, "nothing", "little").texts()
    assert "little" in lines[1]


def test_drafts_that_cost_nothing_take_a_copy_in_steps_of_33_tokens() -> None:
    region = list(range(100))
    assert longest_drafts(region, region) == ratio(100, 3)
    assert longest_drafts(region, range(200, 300)) < 1.1


def test_words_begin_otherwise_each_time() -> None:
    words = OneTokenWords([f" {letter}" for letter in "abcdefg"])
    taken = [words.take(3) for _ in range(7)]
    assert all(isinstance(piece, TextPart) and len(piece.text.split()) == 3 for piece in taken)
    assert len({piece.text.split()[0] for piece in taken}) == 7


def test_the_private_place_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUNTIME_VARIABLE, "before")
    with private_place() as folder:
        assert os.environ[RUNTIME_VARIABLE] == str(folder)
        (folder / "left").touch()
    assert os.environ[RUNTIME_VARIABLE] == "before"
    assert not folder.exists()
    monkeypatch.delenv(RUNTIME_VARIABLE)
    with private_place():
        pass
    assert RUNTIME_VARIABLE not in os.environ


def test_figures_of_nothing_are_nothing() -> None:
    assert middle([]) == percentile([], 0.95) == ratio(1, 0) == 0
    assert middle([3, 1, 2]) == 2
    assert [percentile(range(1, 21), share) for share in (0.05, 0.95, 1)] == [1, 19, 20]


@pytest.mark.slow
def test_the_index_is_measured_beside_a_bare_parse(tmp_path: Path, place: str) -> None:
    for number in range(12):
        (tmp_path / f"m{number}.py").write_text(f"def f{number}(): return {number}\n" * 40)
    sizes = ("--files", "20", "--many", "30", "--lines", "50000", "--edits", "3", "--workers", "1", "--json")
    done = CliRunner().invoke(
        command_line(["bench"]), ["bench", "index", str(tmp_path), *sizes], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["files"], report["repeated"]) == (20, 8)
    assert (report["first"]["parsed"], report["first"]["workers"], report["warm"]["reused"]) == (20, 1, 20)
    assert report["first"]["ratio"] > 0
    assert (report["edits"]["count"], report["branch_switch"]["there_parsed"]) == (6, 4)
    assert report["branch_switch"]["back_parsed"] == 0
    assert report["server"]["warm"]["files"] == 20
    assert report["server"]["warm"]["memory_bytes"] > 0
    assert (report["long_file"]["opened"], report["long_file"]["skipped"]) == ("too_large", {"too_large": 1})
    assert report["many_files"]["indexed"] == 30
