"""Installs the project into the Python that runs this, with progress, and only when something changed.

Plain standard library: it runs before anything is installed. ``scripts/setup.sh`` calls it; arguments name dependency
groups. A stamp beside the environment says what was installed last.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from importlib import metadata
from pathlib import Path
from typing import IO

from compiler_flags import build_environment, has_amx

ROOT = Path(__file__).resolve().parent.parent
STAMP = Path(sys.prefix) / "spark-lsp-install.json"
LOG = Path(sys.prefix) / "spark-lsp-install.log"
GROUPS_PIP = (25, 1)
"""The first pip that installs dependency groups."""
COMPILE_CORE_MINUTES = 14
"""Compiling llama-cpp-python 0.3.36 took 6.6 minutes on two cores."""
PLAIN_INTERVAL_S = 30.0
LINE_INTERVAL_S = 0.5
REBUILD = ("--force-reinstall", "--no-cache-dir", "--no-deps", "--no-binary=llama-cpp-python")
SMALL_MODEL = ROOT / "models" / "spark-nano" / "spark-nano.gguf"
PHASES = (
    (re.compile(r"^\s*\[\s*(\d+)/(\d+)\]"), "compiling llama.cpp, step {0} of {1}"),
    (re.compile(r"^\s*\[\s*(\d+)%\]"), "compiling llama.cpp, {0} %"),
    (re.compile(r"Building wheel for llama[-_]cpp[-_]python"), "compiling llama.cpp"),
    (re.compile(r"^\s*Collecting ([A-Za-z0-9._-]+)"), "fetching packages ({0})"),
    (re.compile(r"^\s*Installing collected packages"), "installing packages"),
)
"""What pip's log says -> what the user reads."""


def main(groups: list[str]) -> int:
    """Install what is missing; return the exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = _fingerprint(project)
    present, present_groups = _read_stamp()
    if present == wanted and set(groups) <= set(present_groups):
        return 0
    groups = sorted({*groups, *present_groups})
    compiles = not _installed("llama-cpp-python")
    missing = _missing_compiler() if compiles else ""
    if missing:
        return _fail(
            f"A {missing} compiler is needed to build llama.cpp and none was found on PATH: {_compiler_help()}."
        )
    _say("Installing Spark LSP into .venv." + (_forecast() if compiles else ""))
    started = time.monotonic()
    LOG.write_bytes(b"")
    if groups and _pip_version() < GROUPS_PIP and _pip(["--upgrade", "pip"]):
        return _fail_with_log("pip could not be brought to a version that knows dependency groups")
    if _pip(["--editable", ".", *(argument for group in groups for argument in ("--group", group))]):
        return _fail_with_log("Installing failed")
    if compiles and has_amx() and not (_computes() or _recompiled()):
        return _fail_with_log("Compiling llama.cpp again failed")
    STAMP.write_text(json.dumps({"fingerprint": wanted, "groups": groups}) + "\n", "utf-8")
    _say(f"Installed in {_clock(time.monotonic() - started)}.")
    return 0


def _forecast() -> str:
    cores = os.cpu_count() or 1
    minutes = -(-COMPILE_CORE_MINUTES // cores)
    count = f"{minutes} minutes" if minutes > 1 else "a minute"
    return f" The first time llama.cpp is compiled, which takes about {count} on {cores} cores."


def _fingerprint(project: dict[str, object]) -> str:
    """Name what an installation depends on: this Python and the parts of pyproject.toml that pip reads."""
    parts = {key: project.get(key) for key in ("project", "build-system", "dependency-groups")}
    text = json.dumps([sys.version_info[:3], str(ROOT), parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_stamp() -> tuple[str, list[str]]:
    """Return the fingerprint and the groups of the last installation; empty when there was none."""
    try:
        stamp = json.loads(STAMP.read_text("utf-8"))
        return str(stamp["fingerprint"]), [str(group) for group in stamp["groups"]]
    except (OSError, ValueError, KeyError, TypeError):
        return "", []


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _computes() -> bool:
    """Whether the compiled library computes, rather than ending its process at the first decode."""
    command = [sys.executable, "-P", "-m", "spark_lsp", "engine", "compute-check", str(SMALL_MODEL)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _recompiled() -> bool:
    """Compile llama.cpp again, whatever pip's cache holds; whether that succeeded."""
    _say("The compiled llama.cpp fails on this processor, as an older build in pip's cache may; it is compiled again.")
    return not _pip([*REBUILD, f"llama-cpp-python=={metadata.version('llama-cpp-python')}"])


def _missing_compiler() -> str:
    """Return the language that there is no compiler for; empty where both are there."""
    if not _compiler("CXX", "c++", "g++", "clang++"):
        return "C++"
    return "" if _compiler("CC", "cc", "gcc", "clang") else "C"


def _compiler(variable: str, *names: str) -> str | None:
    """Return a compiler that answers; on macOS a program of that name is there even when the tools are not."""
    for name in (os.environ.get(variable, ""), *names):
        path = shutil.which(name.split(" ")[0]) if name else None
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return None


def _compiler_help() -> str:
    for program, command in (
        ("apt-get", "sudo apt-get install g++"),
        ("dnf", "sudo dnf install gcc-c++"),
        ("pacman", "sudo pacman -S gcc"),
        ("apk", "sudo apk add g++"),
    ):
        if shutil.which(program):
            return command
    return "xcode-select --install" if sys.platform == "darwin" else "install g++ or clang++"


def _pip_version() -> tuple[int, ...]:
    return tuple(int(part) for part in metadata.version("pip").split(".")[:2])


def _pip(arguments: list[str]) -> int:
    """Run ``pip install`` with its output in the log, showing where it is; return its exit code."""
    environment = {
        "CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1),
        **build_environment(os.environ),
        "PYTHONUNBUFFERED": "1",
    }
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--verbose",
        "--no-input",
        "--disable-pip-version-check",
        *arguments,
    ]
    with LOG.open("ab") as log, LOG.open("rb") as reader:
        reader.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _watch(process, reader)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            _say("\nInterrupted; the next run goes on from here.")
            sys.exit(130)
    return process.returncode


def _watch(process: subprocess.Popen[bytes], reader: IO[bytes]) -> None:
    """Show phase and elapsed time until the process ends: one moving line on a terminal, plain lines elsewhere."""
    started = time.monotonic()
    is_terminal = sys.stdout.isatty()
    interval_s = LINE_INTERVAL_S if is_terminal else PLAIN_INTERVAL_S
    phase = "starting"
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=interval_s)
        phase = _phase(reader.read().decode("utf-8", "replace"), phase)
        line = f"  {_clock(time.monotonic() - started)}  {phase}"
        if is_terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stdout.write("\r\033[K" + ("" if process.returncode is not None else line[:width]))
            sys.stdout.flush()
        elif process.returncode is None:
            _say(line)
        if process.returncode is not None:
            return


def _phase(text: str, phase: str) -> str:
    """Return the phase that the newest telling line of pip's log names."""
    for line in reversed(text.splitlines()):
        for pattern, words in PHASES:
            match = pattern.search(line)
            if match:
                return words.format(*match.groups())
    return phase


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _fail_with_log(sentence: str) -> int:
    lines = LOG.read_text("utf-8", "replace").splitlines()[-20:]
    sys.stderr.write("".join(f"    {line}\n" for line in lines))
    return _fail(f"{sentence}; the whole log is {LOG.relative_to(ROOT) if LOG.is_relative_to(ROOT) else LOG}.")


def _fail(sentence: str) -> int:
    sys.stderr.write(f"spark-lsp: {sentence}\n")
    return 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
