"""``spark-lsp models``: what it prints for people and for machines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spark_lsp.cli.models import app


def _json(*arguments: str) -> object:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def _spark(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spark_lsp", "models", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_list() -> None:
    (model,) = _json("list")
    assert model["name"] == "spark-nano"
    assert model["size_bytes"] == Path(model["path"]).stat().st_size
    assert "spark-nano" in CliRunner().invoke(app, ["list"]).stdout


def test_path() -> None:
    assert _json("path") == _json("path", "spark-nano")
    printed = CliRunner().invoke(app, ["path"]).stdout.strip()
    assert Path(printed).is_file()


def test_nothing_there_is_one_sentence_and_a_way_out() -> None:
    done = _spark("path", "no-such-model")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("spark-lsp: There is no model named no-such-model")
    assert "spark-nano" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.model
def test_show() -> None:
    shown = _json("show")
    assert shown["family"] == "qwen2.5-coder"
    assert shown["fim_order"] == "spm"
    assert shown["vocabulary_size"] == 8192
    assert shown["can_complete"] is True
    assert shown["licence"] == "MIT"
    assert "suffix, prefix, middle" in CliRunner().invoke(app, ["show"]).stdout


@pytest.mark.model
def test_show_of_a_file_that_is_no_model(tmp_path: Path) -> None:
    for name, content in (("empty.gguf", b""), ("text.gguf", b"print('hello')\n"), ("cut.gguf", b"GGUF\3\0\0\0")):
        file = tmp_path / name
        file.write_bytes(content)
        done = _spark("show", str(file))
        assert (done.returncode, done.stdout) == (1, ""), name
        assert name in done.stderr
        assert "Traceback" not in done.stderr
