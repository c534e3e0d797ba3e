"""The wheel holds what a user needs and nothing of the workshop."""

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import metadata
from pathlib import Path

import pytest

from spark_lsp import __version__
from tests.repo.source import ROOT
from tests.support.marks import needs_llama_cpp

MAX_SDIST_BYTES = 30_000_000  # the models are 7 MB, the tests' vocabularies 2.4 MB


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = Path(folder).glob("*.whl")
    assert path.name == f"spark_lsp-{__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


@pytest.mark.slow
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
    assert wheel.read(f"{info}/licenses/NOTICE.md")
    assert "spark-lsp = spark_lsp.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()


def test_every_dependency_has_a_reason() -> None:
    """docs/decisions/dependencies.md has one row for each runtime dependency, and none for what is gone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    every = [*project["dependencies"], *(name for extra in extras.values() for name in extra)]
    wanted = {dependency.split(">")[0].split("<")[0].split("=")[0] for dependency in every}
    page = (ROOT / "docs" / "decisions" / "dependencies.md").read_text("utf-8")
    rows = {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| `")}
    extra_of = {row.partition(", extra ")[2].strip("`") for row in rows} - {""}
    named = {name for row in rows for name in row.partition(", extra ")[0].replace("`", "").split(", ")}
    assert wanted == named
    assert extra_of == set(extras)


def test_one_version() -> None:
    """The version stands in ``spark_lsp/__init__.py``; what cannot read it there says the same."""
    extension = json.loads((ROOT / "editors" / "vscode" / "package.json").read_text("utf-8"))
    assert extension["version"] == __version__
    lock = json.loads((ROOT / "editors" / "vscode" / "package-lock.json").read_text("utf-8"))
    assert lock["packages"][""]["version"] == __version__
    shown = subprocess.run(
        [sys.executable, "-m", "spark_lsp", "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert shown.stdout.strip() == f"spark-lsp {__version__}"


@pytest.mark.slow
def test_it_runs_from_the_wheel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Unpacked elsewhere, with the libraries of this environment: the code and the model are the wheel's own."""
    wheel.extractall(tmp_path)
    command = [sys.executable, "-m", "spark_lsp", "models", "path", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["path"] == str((tmp_path / "spark_lsp" / "models" / "spark-nano.gguf").resolve())


@pytest.mark.slow
def test_the_source_distribution_builds_the_same_wheel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path), "--target"]
    result = subprocess.run([*build, "sdist"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    assert archive.stat().st_size < MAX_SDIST_BYTES, "something of the workshop is in it"
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
        tar.extractall(tmp_path, filter="data")
    workshop = ("models/training/data/", "models/training/out/", "models/checkpoints/", ".venv")
    assert not [name for name in names if name.startswith(workshop) or "node_modules" in name or name.endswith(".vsix")]
    assert {"LICENSE", "NOTICE.md", "README.md", "tests/conftest.py"} <= names
    root = tmp_path / archive.name.removesuffix(".tar.gz")
    again = subprocess.run([*build, "wheel"], cwd=root, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    (path,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(path) as rebuilt:
        assert sorted(rebuilt.namelist()) == sorted(wheel.namelist())


@needs_llama_cpp
def test_licences_of_what_is_installed() -> None:
    """Packages under the GPL or AGPL would bind this project; NOTICE.md names the ones that bind themselves."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    notice = (ROOT / "NOTICE.md").read_text("utf-8")
    for dependency in [*project["dependencies"], *project["optional-dependencies"]["local"]]:
        name = re.split(r"[<>=\[]", dependency)[0]
        fields = metadata(name)
        classes = [line.rpartition("::")[2] for line in fields.get_all("Classifier", []) if line.startswith("License")]
        licence = " ".join([fields.get("License-Expression") or "", (fields.get("License") or "")[:80], *classes])
        assert licence.strip(), f"{name} does not say what licence it has"
        weak = re.search(r"MPL|Mozilla|LGPL|Lesser", licence)
        assert weak or not re.search(r"\bA?GPL|General Public", licence), f"{name}: {licence}"
        assert not weak or f"`{name}`" in notice, f"{name} ({licence.strip()}) is not named in NOTICE.md"
