"""Fetch published packages with their tests by exact version, edit them in a copy, and run their own tests.

Uses pip as it is configured; has no addresses. The tests run in separate processes, without pytest plugins.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.prove_actions.running import failure_of

MANIFEST: Final = Path(__file__).with_name("packages.toml")
TESTS_LIMIT_S: Final = 300.0
_SHORT = 1600
_REACHED = "prove_reached"
_RECORDER: Final = '''\
"""Writes down which functions of a folder are run, one a line: file, line, name."""

import atexit, os, sys, threading

_seen = set()


def _called(frame, event, _argument):
    if event == "call":
        _seen.add(frame.f_code)


def _write():
    sys.setprofile(None)
    with open(os.environ["PROVE_REACHED"], "w") as file:
        for code in _seen:
            file.write(f"{code.co_filename}\\t{code.co_firstlineno}\\t{code.co_name}\\n")


atexit.register(_write)
threading.setprofile(_called)
sys.setprofile(_called)
'''


@dataclass(frozen=True, slots=True)
class Package:
    """A row of the manifest."""

    name: str
    version: str
    sources: str
    tests: list[str]
    path: str = "."
    options: tuple[str, ...] = ()


Reached = frozenset[tuple[str, int, str]]
"""The functions that tests run: file, first line, decorators included, and name."""


def load(manifest: Path = MANIFEST) -> list[Package]:
    """Read the manifest; a row with an unknown or missing field raises ``TypeError``."""
    return [Package(**row) for row in tomllib.loads(manifest.read_text("utf-8"))["package"]]


def unpacked(package: Package, folder: Path) -> Path | None:
    """Return the folder of a package's sources, fetched if necessary; None if it is not available."""
    stem = f"{package.name}-{package.version}"
    place = folder / stem
    if not place.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", "--dest"]
        subprocess.run([*command, str(folder), f"{package.name}=={package.version}"], check=False, capture_output=True)
        archive = next(folder.glob(f"{stem.replace('-', '?')}.tar.gz"), None)
        if archive is None:
            return None
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        package_folder = folder / archive.name.removesuffix(".tar.gz")
        if package_folder != place:
            package_folder.rename(place)
    return place


def modules(package: Package, root: Path) -> dict[str, str]:
    """Return the texts of a package's own modules by their paths, without its tests."""
    base = root / package.sources
    files = [base] if base.is_file() else sorted(base.rglob("*.py"))
    tests = [root / test for test in package.tests]
    own = [file for file in files if not any(file.is_relative_to(test) for test in tests)]
    return {file.relative_to(root).as_posix(): file.read_text("utf-8") for file in own}


def failing(package: Package, root: Path, texts: Mapping[str, str]) -> str:
    """Run the tests with these texts in place of the package's; return the failures, empty if all passed."""
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        return _run(package, _copied(root, texts, Path(folder)), {}, [])


def reached(package: Package, root: Path) -> Reached | str:
    """Return which functions the unchanged package's tests run, or the failures."""
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        copy = _copied(root, {}, Path(folder))
        (copy / f"{_REACHED}.py").write_text(_RECORDER, "utf-8")
        report = Path(folder) / "reached.txt"
        problem = _run(package, copy, {"PROVE_REACHED": str(report)}, ["-p", _REACHED])
        if problem:
            return problem
        reached_lines = set()
        for line in report.read_text("utf-8").splitlines():
            path, first, name = line.split("\t")
            if Path(path).is_relative_to(copy):
                reached_lines.add((Path(path).relative_to(copy).as_posix(), int(first), name))
        return frozenset(reached_lines)


def _copied(root: Path, texts: Mapping[str, str], folder: Path) -> Path:
    copy = folder / "package"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in texts.items():
        (copy / path).write_text(text, "utf-8", newline="")
    return copy


def _run(package: Package, copy: Path, more: Mapping[str, str], options: list[str]) -> str:
    python_path = os.pathsep.join([str(copy / package.path), str(copy)])
    own = {"PYTHONPATH": python_path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    variables = {**os.environ, **own, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **more}
    command = [sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-c", os.devnull]
    command += ["--rootdir", str(copy), *options, *package.options, *package.tests]
    return failure_of(command, copy, variables, limit_s=TESTS_LIMIT_S, most_characters=_SHORT)
