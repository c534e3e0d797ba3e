"""``spark-lsp stats`` and ``complete --replay`` as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

LINE = {
    "at": 1_700_000_000.0, "event": "accepted", "suggestion": "1-1", "language": "python", "model": "nano",
    "characters": 10, "accepted_characters": 10, "latency_ms": 120.0,
}  # fmt: skip


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"XDG_STATE_HOME": str(folder), "HOME": str(folder), "PATH": ""}
    command = [sys.executable, "-m", "spark_lsp", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60
    )


def test_table_json_page_and_deletion(tmp_path: Path) -> None:
    file = tmp_path / "spark-lsp" / "feedback.jsonl"
    file.parent.mkdir()
    file.write_text(json.dumps(LINE) + "\n")
    data = json.loads(_run(tmp_path, "stats", "--json").stdout)
    assert data["suggestions"] == 1
    assert data["rows"][0]["accepted"] == 1
    assert data["rows"][0]["latency_p95_ms"] == 120.0
    page = tmp_path / "page.html"
    done = _run(tmp_path, "stats", "--html", str(page))
    assert (done.returncode, done.stderr) == (0, "")
    assert "nano" in done.stdout
    assert page.read_text("utf-8").count("<svg") == 4
    assert _run(tmp_path, "stats", "--delete").returncode == 0
    assert not file.exists()


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    done = _run(tmp_path, "stats", "--html", str(tmp_path / "no" / "page.html"))
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_replaying_what_is_no_recording_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text("{}")
    done = _run(tmp_path, "complete", "--replay", str(path))
    assert done.returncode == 1
    assert "is no recorded request" in done.stderr
    assert "Traceback" not in done.stderr
    assert _run(tmp_path, "complete").returncode == 2
