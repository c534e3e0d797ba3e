"""The wheel holds what a user needs and nothing of the workshop."""

import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from spark_lsp import __version__
from tests.repo.source import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = Path(folder).glob("*.whl")
    assert path.name == f"spark_lsp-{__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


def test_it_carries_the_model(wheel: zipfile.ZipFile) -> None:
    assert wheel.read("spark_lsp/models/spark-nano.gguf")[:4] == b"GGUF"


def test_it_carries_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "spark_lsp").rglob("*")
        if path.suffix in {".py", ".scm", ".typed", ".html"} or path.name == "py.typed"
    }
    assert any(name.endswith(".scm") for name in sources)
    assert "spark_lsp/py.typed" in sources
    assert sources <= names, f"missing in the wheel: {sorted(sources - names)}"


def test_it_carries_nothing_else(wheel: zipfile.ZipFile) -> None:
    folders = {name.split("/")[0] for name in wheel.namelist()}
    assert folders == {"spark_lsp", f"spark_lsp-{__version__}.dist-info"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name]


def test_its_metadata(wheel: zipfile.ZipFile) -> None:
    info = f"spark_lsp-{__version__}.dist-info"
    metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    assert wheel.read(f"{info}/licenses/LICENSE")
    assert "spark-lsp = spark_lsp.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()


def test_every_dependency_has_a_reason() -> None:
    """docs/decisions/dependencies.md has one row for each runtime dependency, and none for what is gone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {dependency.split(">")[0].split("<")[0].split("=")[0] for dependency in project["dependencies"]}
    page = (ROOT / "docs" / "decisions" / "dependencies.md").read_text("utf-8")
    rows = {line.split("|")[1].strip().strip("`") for line in page.splitlines() if line.startswith("| `")}
    named = {name for row in rows for name in row.replace("`", "").split(", ")}
    assert wanted == named
