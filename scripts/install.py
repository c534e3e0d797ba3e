"""Install the project into the Python that runs this, with progress, and only if something changed.

Uses only the standard library, because it runs before anything is installed. ``scripts/setup.sh`` calls it; arguments
name dependency groups, and ``--model NAME`` a model to download at the same time. ``--light`` installs what the quick
tests need, without llama.cpp, which is compiled if pip finds no wheel of it. A stamp file in the environment describes
the last installation.
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
from typing import IO, Any

from compiler_flags import build_environment, has_amx
from model_download import ModelDownload
from progress_lines import LINE_INTERVAL_S, ProgressLines, clock

ROOT = Path(__file__).resolve().parent.parent
STAMP = Path(sys.prefix) / "spark-lsp-install.json"
LOG = Path(sys.prefix) / "spark-lsp-install.log"
GROUPS_PIP = (25, 1)
"""The first version of pip that installs dependency groups."""
OLD_PIP = "pip could not be brought to a version that knows dependency groups"
COMPILE_CORE_MINUTES = 6
"""Minutes; compiling the library of llama-cpp-python 0.3.36 took 5.0 with one job, compiling all of it 14."""
REBUILD = ("--force-reinstall", "--no-cache-dir", "--no-deps", "--no-binary=llama-cpp-python")
EMBEDDED = "spark-nano"
BINDING = "llama-cpp-python"
"""The only dependency that is compiled, if pip finds no wheel for this machine."""
EXTRA = "local"
"""The extra of the project that includes it."""
LIGHT = " without llama.cpp"
"""The end of the fingerprint of an installation without the binding."""
LIGHT_GROUP = "quick"
SMALL_MODEL = ROOT / "models" / "spark-nano" / "spark-nano.gguf"
PHASES = (
    (re.compile(r"^\s*\[\s*(\d+)/(\d+)\]"), "compiling llama.cpp, step {0} of {1}"),
    (re.compile(r"^\s*\[\s*(\d+)%\]"), "compiling llama.cpp, {0} %"),
    (re.compile(r"Building wheel for llama[-_]cpp[-_]python"), "compiling llama.cpp"),
    (re.compile(r"^\s*Collecting ([A-Za-z0-9._-]+)"), "fetching packages ({0})"),
    (re.compile(r"^\s*Installing collected packages"), "installing packages"),
)
"""Text in pip's log -> text for the user."""


def main(groups: list[str], model: str = "") -> int:
    """Install missing packages and the groups, and download the model meanwhile; return the exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = _fingerprint(project)
    present, present_groups = _read_stamp()
    if present != wanted or not set(groups) <= set(present_groups):
        return _install(project, wanted, sorted({*groups, *present_groups}), model)
    if model:
        _finish(ModelDownload(model))
    return 0


def main_light() -> int:
    """Install the project without llama.cpp, with what the quick tests need; return the exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = _fingerprint(project)
    present, groups = _read_stamp()
    if present == wanted + LIGHT or (present == wanted and {"dev", LIGHT_GROUP} & set(groups)):
        return 0
    _say("Installing Spark LSP into .venv, without llama.cpp.")
    started = time.monotonic()
    LOG.write_bytes(b"")
    if _pip_version() < GROUPS_PIP and _pip(["--upgrade", "pip"]):
        return _fail_with_log(OLD_PIP)
    if _pip([*_light(project), "--group", LIGHT_GROUP]) or _pip(["--no-deps", "--editable", "."]):
        return _fail_with_log("Installing failed")
    if present == wanted:
        _write_stamp(wanted, sorted({*groups, LIGHT_GROUP}))
    else:
        _write_stamp(wanted + LIGHT, [])
    _say(f"Installed in {clock(time.monotonic() - started)}.")
    return 0


def _light(project: dict[str, Any]) -> list[str]:
    """Return the dependencies that need no compiler."""
    return list(project["project"]["dependencies"])


def _install(project: dict[str, Any], wanted: str, groups: list[str], model: str) -> int:
    is_new = not _installed(BINDING)
    compiles = is_new and not _has_wheel(project)
    missing = _missing_compiler() if compiles else ""
    if missing:
        return _fail(
            f"A {missing} compiler is needed to build llama.cpp and none was found on PATH: {_compiler_help()}."
        )
    _say("Installing Spark LSP into .venv." + (_forecast() if compiles else ""))
    started = time.monotonic()
    LOG.write_bytes(b"")
    if groups and _pip_version() < GROUPS_PIP and _pip(["--upgrade", "pip"]):
        return _fail_with_log(OLD_PIP)
    download = None
    if model:
        # The download needs a few small packages; once they are installed, it runs while llama.cpp compiles.
        if is_new and _pip(_light(project)):
            return _fail_with_log("Installing failed")
        download = ModelDownload(model)
    arguments = [
        "--prefer-binary",
        "--editable",
        f".[{EXTRA}]",
        *(argument for group in groups for argument in ("--group", group)),
    ]
    if _pip(arguments, download):
        if download is not None:
            download.stop()
        return _fail_with_log("Installing failed")
    if compiles and has_amx() and not (_computes() or _recompiled(download)):
        if download is not None:
            download.stop()
        return _fail_with_log("Compiling llama.cpp again failed")
    _write_stamp(wanted, groups)
    _say(f"Installed in {clock(time.monotonic() - started)}.")
    if download is not None:
        _finish(download)
    return 0


def _has_wheel(project: dict[str, Any]) -> bool:
    """Whether pip finds a wheel of the binding, for example on an index that the user added."""
    wanted = project["project"]["optional-dependencies"][EXTRA]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--no-input", "--quiet"]
    options = ["--disable-pip-version-check", f"--only-binary={BINDING}"]
    done = subprocess.run([*command, *options, *wanted], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0


def _finish(download: ModelDownload) -> None:
    """Wait for a download. A failed one is reported and costs nothing else: the embedded model is used."""
    lines = ProgressLines()
    try:
        while _runs(download, lines):
            lines.show([f"model: {download.status}"])
            download.wait(LINE_INTERVAL_S)
    except KeyboardInterrupt:
        download.stop()
        _say("\nInterrupted; the next run goes on from here.")
        sys.exit(130)
    lines.clear()
    if download.error:
        _say(f"{download.name} could not be downloaded, so the embedded model serves. {download.error}")


def _runs(download: ModelDownload, lines: ProgressLines) -> bool:
    """Print a download's progress; return whether it still runs."""
    is_running: bool = download.poll()
    if download.notices:
        lines.clear()
        for notice in download.notices:
            _say(notice)
        download.notices.clear()
    return is_running


def _forecast() -> str:
    cores = os.cpu_count() or 1
    minutes = -(-COMPILE_CORE_MINUTES // cores)
    count = f"{minutes} minutes" if minutes > 1 else "a minute"
    return f" The first time llama.cpp is compiled, which takes about {count} on {cores} cores."


def _fingerprint(project: dict[str, object]) -> str:
    """Return a name for what an installation depends on: this Python and the parts of pyproject.toml that pip reads."""
    parts = {key: project.get(key) for key in ("project", "build-system", "dependency-groups")}
    text = json.dumps([sys.version_info[:3], str(ROOT), parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_stamp() -> tuple[str, list[str]]:
    """Return the fingerprint and the groups of the last installation; empty if there was none."""
    try:
        stamp = json.loads(STAMP.read_text("utf-8"))
        return str(stamp["fingerprint"]), [str(group) for group in stamp["groups"]]
    except (OSError, ValueError, KeyError, TypeError):
        return "", []


def _write_stamp(fingerprint: str, groups: list[str]) -> None:
    STAMP.write_text(json.dumps({"fingerprint": fingerprint, "groups": groups}) + "\n", "utf-8")


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def _computes() -> bool:
    """Whether the compiled library computes, instead of ending its process at the first decode."""
    command = [sys.executable, "-P", "-m", "spark_lsp", "engine", "compute-check", str(SMALL_MODEL)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _recompiled(download: ModelDownload | None) -> bool:
    """Compile llama.cpp again without pip's cache; return whether that succeeded."""
    _say("The compiled llama.cpp fails on this processor, as an older build in pip's cache may; it is compiled again.")
    return not _pip([*REBUILD, f"{BINDING}=={metadata.version(BINDING)}"], download)


def _missing_compiler() -> str:
    """Return the language without a compiler; empty if both compilers are installed."""
    if not _compiler("CXX", "c++", "g++", "clang++"):
        return "C++"
    return "" if _compiler("CC", "cc", "gcc", "clang") else "C"


def _compiler(variable: str, *names: str) -> str | None:
    """Return a compiler that runs; macOS has a program of that name even without the tools."""
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


def _pip(arguments: list[str], download: ModelDownload | None = None) -> int:
    """Run ``pip install`` with its output in the log, and print its phase; return its exit code."""
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
            _watch(process, reader, download)
        except KeyboardInterrupt:
            if download is not None:
                download.stop()
            process.terminate()
            process.wait()
            _say("\nInterrupted; the next run goes on from here.")
            sys.exit(130)
    return process.returncode


def _watch(process: subprocess.Popen[bytes], reader: IO[bytes], download: ModelDownload | None) -> None:
    """Print the phase of pip and of the download until pip ends."""
    lines, phase = ProgressLines(), "starting"
    while process.returncode is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=LINE_INTERVAL_S)
        phase = _phase(reader.read().decode("utf-8", "replace"), phase)
        is_downloading = download is not None and _runs(download, lines)
        lines.show([phase, *([f"model: {download.status}"] if download is not None and is_downloading else [])])
    lines.clear()


def _phase(text: str, phase: str) -> str:
    """Return the phase that the newest meaningful line of pip's log names."""
    for line in reversed(text.splitlines()):
        for pattern, words in PHASES:
            match = pattern.search(line)
            if match:
                return words.format(*match.groups())
    return phase


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


def _arguments(arguments: list[str]) -> tuple[list[str], str]:
    """Return the groups and the model of a command line; the embedded model needs no download."""
    if "--model" not in arguments:
        return arguments, ""
    place = arguments.index("--model")
    name = "".join(arguments[place + 1 : place + 2])
    return arguments[:place] + arguments[place + 2 :], "" if name == EMBEDDED else name


if __name__ == "__main__":
    sys.exit(main_light() if "--light" in sys.argv[1:] else main(*_arguments(sys.argv[1:])))
