"""Checks the machine: Python, compiler, llama.cpp, folders, memory and file watches.

A fix is a shell command, or a comment (``# ...``) if there is none; both can be pasted into a shell.
"""

import os
import platform
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil

from spark_lsp.doctor.check_result import Check
from spark_lsp.engine.local.binding import how_to_install
from spark_lsp.errors import SparkError
from spark_lsp.openai_api.running import running_endpoint

MIN_WATCHES: Final = 65_536  # a JavaScript project easily holds 50,000 folders and files
WATCHES: Final = 524_288
OLDEST_BINDING: Final = "0.3.36"
MIN_FREE_BYTES: Final = 1024**3
"""With less free space on disk, KV cache files are soon evicted."""

_INSTALL: Final = (
    ("apt-get", "sudo apt-get install -y {apt}"),
    ("dnf", "sudo dnf install -y {dnf}"),
    ("pacman", "sudo pacman -S --needed {pacman}"),
    ("apk", "sudo apk add {apk}"),
    ("zypper", "sudo zypper install -y {dnf}"),
    ("brew", "brew install {brew}"),
    ("winget", "winget install {winget}"),
)
Which = Callable[[str], str | None]


def machine_checks() -> list[Check]:
    """Check the command, file watches, folders, and the endpoint for other programs where it runs."""
    return [_on_path(), watches(), *folders(), *endpoint()]


def python_checks() -> list[Check]:
    """Check the Python that runs this."""
    return [_python()]


def build_checks() -> list[Check]:
    """Check what runs a model on this machine, and what could build it again."""
    return [compiler(), binding()]


def pasteable(fix: str) -> str:
    """Turn an error's advice into a line to paste: the command that it names, or a comment."""
    if not fix:
        return ""
    _, _, rest = fix.partition("`")
    command, closed, _ = rest.partition("`")
    if closed and command.startswith("spark-lsp "):
        return command
    return "# " + " ".join(fix.split())


def install(which: Which = shutil.which, **names: str) -> str:
    """Return the command that installs a package here; ``names`` are those of apt, dnf, pacman, apk, brew, winget."""
    for program, template in _INSTALL:
        if which(program):
            return template.format(**names)
    return f"# Install {names['apt']} with your system's package manager."


def _python() -> Check:
    python_version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 14):
        return Check("python", "ok", f"Python {python_version}")
    fix = install(
        apt="python3-venv", dnf="python3", pacman="python", apk="python3", brew="python@3.13",
        winget="Python.Python.3.13",
    )  # fmt: skip
    return Check("python", "fail", f"Python {python_version} is not supported; 3.11 to 3.14 are.", fix)


def compiler(which: Which = shutil.which) -> Check:
    """Check that there is a C++ compiler for llama.cpp."""
    compiler = next((path for name in ("c++", "g++", "clang++", "cl") if (path := which(name))), None)
    if compiler:
        return Check("compiler", "ok", compiler)
    if sys.platform == "darwin":
        fix = "xcode-select --install"
    else:
        fix = install(
            which, apt="g++", dnf="gcc-c++", pacman="gcc", apk="g++ musl-dev", brew="gcc",
            winget="Microsoft.VisualStudio.2022.BuildTools",
        )  # fmt: skip
    message = "No C++ compiler on the PATH, so llama.cpp cannot be rebuilt; the installed build works."
    return Check("compiler", "warn", message, fix)


def binding(installed: str | None = None) -> Check:
    """Check the version of llama-cpp-python; default: the installed one."""
    try:
        installed = installed or version("llama-cpp-python")
    except PackageNotFoundError:
        return Check("llama.cpp", "fail", "llama-cpp-python is not installed.", how_to_install())
    if _numbers(installed) < _numbers(OLDEST_BINDING):
        message = f"llama-cpp-python {installed} is older than {OLDEST_BINDING}, which the engine needs."
        fix = f"{shlex.quote(sys.executable)} -m pip install --upgrade 'llama-cpp-python>={OLDEST_BINDING},<0.4'"
        return Check("llama.cpp", "fail", message, fix)
    return Check("llama.cpp", "ok", f"llama-cpp-python {installed}")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.partition("+")[0].split(".") if word.isdecimal())


def _on_path() -> Check:
    program = shutil.which("spark-lsp")
    if program:
        return Check("command", "ok", program)
    here = Path(sys.executable).parent / "spark-lsp"
    message = "spark-lsp is not on the PATH; editors need its full path."
    fix = f"mkdir -p ~/.local/bin && ln -sf {shlex.quote(str(here))} ~/.local/bin/spark-lsp"
    return Check("command", "warn", message, fix if os.name == "posix" else f"# Set the path in your editor: {here}")


def watches(limit: Path = Path("/proc/sys/fs/inotify/max_user_watches")) -> Check:
    """Check how many files the system allows to be watched."""
    try:
        number = int(limit.read_text("ascii"))
    except (OSError, ValueError):
        return Check("watcher", "ok", f"{platform.system()} needs no watch limit")
    if number >= MIN_WATCHES:
        return Check("watcher", "ok", f"{number} inotify watches")
    fix = (
        f"echo fs.inotify.max_user_watches={WATCHES} | sudo tee /etc/sysctl.d/60-spark-lsp.conf && sudo sysctl --system"
    )
    return Check("watcher", "warn", f"Only {number} inotify watches; changes in large folders may be missed.", fix)


def folders() -> list[Check]:
    """Check that the cache folder and the folder of sockets can be written."""
    from spark_lsp.app import kv_cache_folder  # noqa: PLC0415
    from spark_lsp.engine.local.address import runtime_folder  # noqa: PLC0415

    checks = [writable("cache", kv_cache_folder().parent)]
    try:
        checks.append(Check("runtime", "ok", str(runtime_folder())))
    except SparkError as error:
        checks.append(Check("runtime", "fail", str(error), "export SPARK_LSP_RUNTIME_DIR=$HOME/.spark-lsp-run"))
    return checks


def endpoint(folder: Path | None = None) -> list[Check]:
    """Check the endpoint for other programs; no check where none runs. ``folder`` holds its record."""
    from spark_lsp.engine.local.address import runtime_folder  # noqa: PLC0415

    try:
        running = running_endpoint(folder or runtime_folder())
    except SparkError:
        return []  # the check of the folder says why
    if running is None:
        return []
    detail = f"{running.url}, process {running.pid}"
    if running.is_loopback:
        return [Check("endpoint", "ok", detail)]
    sentence = f"{detail}, can be reached from other machines without encryption."
    return [Check("endpoint", "warn", sentence, f"kill {running.pid} && spark-lsp engine serve-openai")]


def writable(name: str, folder: Path) -> Check:
    """Check that a folder is writable and has free space."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK):
        fix = f'sudo chown -R "$USER" {shlex.quote(str(there))}'
        return Check(name, "fail", f"{there} is not writable, so nothing can be cached between runs.", fix)
    free = shutil.disk_usage(there).free
    if free < MIN_FREE_BYTES:
        message = f"Only {free / 1e9:.1f} GB are free for {folder}; prompts must be prefilled again after each restart."
        return Check(name, "warn", message, "spark-lsp engine purge")
    return Check(name, "ok", f"{folder}, {free / 1e9:.0f} GB free")


def memory(needed_bytes: int, what: str, *, available_bytes: int | None = None) -> Check:
    """Check that a model with its context fits into free memory."""
    virtual_memory = psutil.virtual_memory()
    free = virtual_memory.available if available_bytes is None else available_bytes
    detail = f"{free / 2**30:.1f} GiB free of {virtual_memory.total / 2**30:.1f} GiB, {os.cpu_count()} cores"
    if needed_bytes <= free:
        return Check("memory", "ok", f"{detail}; {what} needs about {needed_bytes / 2**30:.1f} GiB")
    message = f"{detail}; {what} needs about {needed_bytes / 2**30:.1f} GiB, so it runs slowly or with less context."
    return Check("memory", "warn", message, "spark-lsp models recommend")


def worst(checks: Sequence[Check]) -> str:
    """Return ``ok``, ``warn`` or ``fail``: the worst status among checks."""
    order = ("ok", "warn", "fail")
    return max((check.status for check in checks), key=order.index, default="ok")
