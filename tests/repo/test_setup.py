"""The set-up on machines that lack something: one sentence that names it and how to get it."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.repo.source import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the set-up is a POSIX shell script")
BARE = ("dirname", "sh")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the scripts and the project's metadata only."""
    folder = tmp_path / "my checkout"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder for PATH with a shell and no Python or compiler."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in BARE:
        which = shutil.which(name)
        assert which
        (folder / name).symlink_to(which)
    return folder


def _program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)


def _run(command: list[str], path: Path) -> tuple[int, str]:
    """Return the exit code and what was said on standard error."""
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHON", "CC", "CXX"}}
    environment["PATH"] = str(path)
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return done.returncode, done.stderr


def test_a_machine_without_python(checkout: Path, bare_path: Path) -> None:
    _program(bare_path, "apt-get", "exit 0")
    code, output = _run(["sh", str(checkout / "scripts" / "setup.sh")], bare_path)
    assert code == 1
    assert output.startswith("spark-lsp: Python 3.11 to 3.14 is needed and none was found on PATH")
    assert "sudo apt-get install python3 python3-venv" in output
    assert output.count("\n") == 1


def test_a_machine_with_an_old_python(checkout: Path, bare_path: Path) -> None:
    _program(bare_path, "python3", "exit 1")
    code, output = _run(["sh", str(checkout / "scripts" / "setup.sh")], bare_path)
    assert code == 1
    assert "Python 3.11 to 3.14 is needed" in output


def test_a_python_without_venv(checkout: Path, bare_path: Path) -> None:
    _program(bare_path, "apt-get", "exit 0")
    _program(bare_path, "python3", f'case "$*" in *ensurepip*) exit 1;; *) exec "{sys.executable}" "$@";; esac')
    code, output = _run(["sh", str(checkout / "scripts" / "setup.sh")], bare_path)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert code == 1
    assert "has no venv module" in output
    assert f"sudo apt-get install python{version}-venv" in output
    assert output.count("\n") == 1


@pytest.mark.parametrize(("present", "missing"), [((), "C++ compiler"), (("c++",), "C compiler")])
def test_a_machine_without_a_compiler(checkout: Path, bare_path: Path, present: tuple[str, ...], missing: str) -> None:
    _program(bare_path, "apt-get", "exit 0")
    for name in present:
        _program(bare_path, name, "exit 0")
    venv.create(checkout / ".venv", with_pip=False, symlinks=True)
    code, output = _run(["sh", str(checkout / "scripts" / "setup.sh")], bare_path)
    assert code == 1
    assert f"A {missing} is needed to build llama.cpp" in output
    assert "sudo apt-get install g++" in output
    assert output.count("\n") == 1


def test_a_failed_installation_shows_the_end_of_the_log(checkout: Path, bare_path: Path) -> None:
    for name in ("c++", "cc"):
        _program(bare_path, name, "exit 0")
    venv.create(checkout / ".venv", with_pip=False, symlinks=True)
    code, output = _run(["sh", str(checkout / "scripts" / "setup.sh")], bare_path)
    assert code == 1
    assert "No module named pip" in output
    assert output.splitlines()[-1] == "spark-lsp: Installing failed; the whole log is .venv/spark-lsp-install.log."
    assert not (checkout / ".venv" / "spark-lsp-install.json").exists()


SLOW_PIP = """
import pathlib, sys, time
if "--dry-run" in sys.argv:
    raise SystemExit(1)  # there is no wheel
here = pathlib.Path("pip-calls")
here.mkdir(exist_ok=True)
if "--editable" not in sys.argv:
    (here / "light").write_text(" ".join(sys.argv))
    print("Collecting msgspec", flush=True)
    raise SystemExit
print("Building wheel for llama-cpp-python", flush=True)
print("  [7/193] c++ -O3", flush=True)
until = time.monotonic() + 60
while not (here / "model").exists() and time.monotonic() < until:  # it compiles until the model has come
    time.sleep(0.05)
raise SystemExit(0 if (here / "model").exists() else 7)
"""
PULL = """
import pathlib, sys, time
print("notice Downloading the model " + sys.argv[1], flush=True)
print("step 120000000 491000000 download", flush=True)
until = time.monotonic() + 60
while "step 7 of 193" not in pathlib.Path("shown").read_text() and time.monotonic() < until:
    time.sleep(0.05)
{end}
"""


def _checkout_with_pip(checkout: Path, bare_path: Path, pull: str) -> None:
    """Give a checkout a Python whose pip and whose download only say what they do, and wait for each other."""
    for name in ("c++", "cc"):
        _program(bare_path, name, "exit 0")
    venv.create(checkout / ".venv", with_pip=False, symlinks=True)
    (packages,) = (checkout / ".venv" / "lib").glob("python*/site-packages")
    (packages / "pip").mkdir()
    (packages / "pip" / "__main__.py").write_text(SLOW_PIP, "utf-8")
    (checkout / "scripts" / "pull_model.py").write_text(pull, "utf-8")
    (checkout / "scripts" / "compiler_flags.py").write_text(
        "def build_environment(environment):\n    return dict(environment)\n\n\ndef has_amx():\n    return False\n"
    )


def _set_up(checkout: Path, path: Path, *arguments: str) -> tuple[int, str]:
    """Run the set-up with a model; return its exit code and what it showed, without a terminal."""
    shown = checkout / "shown"
    environment = {**os.environ, "PATH": str(path)}
    script = f"""
import runpy, sys
sys.path.insert(0, "scripts")
import progress_lines
progress_lines.PLAIN_INTERVAL_S = 0.1
sys.argv = ["install.py", *{list(arguments)!r}]
runpy.run_path("scripts/install.py", run_name="__main__")
"""
    with shown.open("wb") as output:
        done = subprocess.run(
            [str(checkout / ".venv" / "bin" / "python"), "-c", script],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return done.returncode, shown.read_text("utf-8")


@pytest.mark.slow
def test_the_model_is_downloaded_while_llama_cpp_compiles(checkout: Path, bare_path: Path) -> None:
    """Each waits for a word of the other, so one after the other would never end well."""
    _checkout_with_pip(checkout, bare_path, PULL.format(end='pathlib.Path("pip-calls/model").touch()'))
    code, shown = _set_up(checkout, bare_path, "--model", "some-model")
    assert code == 0, shown
    assert "Downloading the model some-model" in shown
    assert "compiling llama.cpp, step 7 of 193; model: download: 120 of 491 MB, 24 %" in shown
    light = (checkout / "pip-calls" / "light").read_text("utf-8")
    assert "msgspec" in light
    assert "llama-cpp-python" not in light


@pytest.mark.slow
def test_the_light_set_up_compiles_nothing(checkout: Path, bare_path: Path) -> None:
    _checkout_with_pip(checkout, bare_path, PULL)
    (packages,) = (checkout / ".venv" / "lib").glob("python*/site-packages")
    (packages / "pip" / "__main__.py").write_text(
        "import pathlib, sys\nwith pathlib.Path('pip-calls').open('a') as f: f.write(' '.join(sys.argv[1:]) + '\\n')\n",
        "utf-8",
    )
    (packages / "pip-99.dist-info").mkdir()
    (packages / "pip-99.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: pip\nVersion: 99.0\n", "utf-8"
    )
    for _ in range(2):
        code, shown = _set_up(checkout, bare_path, "--light")
        assert code == 0, shown
    dependencies, project = (checkout / "pip-calls").read_text("utf-8").splitlines()
    assert "msgspec" in dependencies
    assert "llama-cpp-python" not in dependencies
    assert dependencies.endswith("--group quick")
    assert project.endswith("--no-deps --editable .")


def test_a_wheel_of_llama_cpp_needs_no_compiler(checkout: Path, bare_path: Path) -> None:
    _checkout_with_pip(checkout, bare_path, PULL)
    for name in ("c++", "cc"):
        (bare_path / name).unlink()
    (packages,) = (checkout / ".venv" / "lib").glob("python*/site-packages")
    (packages / "pip" / "__main__.py").write_text(
        "import pathlib, sys\nwith pathlib.Path('calls').open('a') as f: f.write(' '.join(sys.argv[1:]) + '\\n')\n",
        "utf-8",
    )
    code, shown = _set_up(checkout, bare_path)
    assert code == 0, shown
    assert "compiled" not in shown
    probe, installed = (checkout / "calls").read_text("utf-8").splitlines()
    assert "--dry-run" in probe
    assert "--only-binary=llama-cpp-python llama-cpp-python>=" in probe
    assert installed.endswith("--prefer-binary --editable .[local]")


def test_a_download_that_fails_costs_nothing_else(checkout: Path, bare_path: Path) -> None:
    end = 'pathlib.Path("pip-calls/model").touch(); print("error No source can be reached.", flush=True); sys.exit(1)'
    _checkout_with_pip(checkout, bare_path, PULL.format(end=end))
    code, shown = _set_up(checkout, bare_path, "--model", "some-model")
    assert code == 0, shown
    assert "some-model could not be downloaded, so the embedded model serves. No source can be reached." in shown
    assert (checkout / ".venv" / "spark-lsp-install.json").exists()
    code, shown = _set_up(checkout, bare_path, "--model", "spark-nano")
    assert (code, shown) == (0, ""), "the second time, without a download"


@pytest.mark.slow
def test_an_installation_that_is_there_is_left_alone(checkout: Path, bare_path: Path) -> None:
    """The second run does nothing: no pip, no compiler, no network."""
    venv.create(checkout / ".venv", with_pip=False, symlinks=True)
    python = checkout / ".venv" / "bin" / "python"
    stamp = (
        "import sys; sys.path.insert(0, 'scripts'); import install, json, tomllib; "
        "project = tomllib.loads(open('pyproject.toml').read()); "
        "install.STAMP.write_text(json.dumps({'fingerprint': install._fingerprint(project), 'groups': ['dev']}))"
    )
    subprocess.run([str(python), "-c", stamp], cwd=checkout, check=True, stdin=subprocess.DEVNULL)
    setup = str(checkout / "scripts" / "setup.sh")
    assert _run(["sh", setup], bare_path) == (0, "")
    assert _run(["sh", setup, "dev"], bare_path) == (0, "")
    project = (checkout / "pyproject.toml").read_text("utf-8").replace('"msgspec', '"another", "msgspec')
    (checkout / "pyproject.toml").write_text(project, "utf-8")
    assert _run(["sh", setup], bare_path)[0] == 1
