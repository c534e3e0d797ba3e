"""``spark-lsp doctor``: checks everything that a user can get wrong, and says how to mend each."""

import asyncio
import json
import os
import platform
import shutil
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console

from spark_lsp.app import open_engine, open_rooms
from spark_lsp.catalog.catalog import resolve_model
from spark_lsp.cli.graphics import Check, look_at_graphics
from spark_lsp.cli.oneshot import settings_of
from spark_lsp.completion.hole import Hole
from spark_lsp.config import Settings
from spark_lsp.engine.base import ModelInfo
from spark_lsp.errors import SparkError
from spark_lsp.text.document import Snapshot

FEWEST_WATCHES = 65_536  # a JavaScript project easily holds 50,000 folders and files
FEWEST_CONTEXT_TOKENS = 8192  # with less, little more than the open file is shown to the model
KNOWN_HOLE = """\
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"]


def first_weekday(names):
    return names[0]


def last_weekday(names):
    return names[-1]


print(first_weekday(WEEKDAYS))
print(last_week"""
KNOWN_ANSWER = "day"
"""What every code model writes after ``last_week`` there; less says that prompt and vocabulary do not fit."""

_MARKS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}


def doctor(
    *,
    model: Annotated[str, typer.Option(help="Model name or path of a GGUF file.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the installation, the model and the editor set-up.

    Example: spark-lsp doctor
    """
    settings = settings_of(None, model)
    checks = [_python(), _compiler(), _bindings(), *look_at_graphics(), _on_path(), _editors(), _watches(), _memory()]
    checks += asyncio.run(_model_checks(settings))
    ok = all(check.status != "fail" for check in checks)
    if as_json:
        sys.stdout.write(json.dumps({"ok": ok, "checks": [asdict(check) for check in checks]}) + "\n")
    else:
        _print(checks)
    if not ok:
        raise typer.Exit(1)


def _print(checks: list[Check]) -> None:
    console = Console(highlight=False)
    for check in checks:
        console.print(f"{_MARKS[check.status]} {check.name:<12} {check.detail}", soft_wrap=True)
        if check.fix:
            console.print(f"     {'':<12} [dim]{check.fix}[/]", soft_wrap=True)


def _python() -> Check:
    found = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 14):
        return Check("python", "ok", f"Python {found}")
    return Check("python", "fail", f"Python {found} is not supported.", "Install Python 3.11 to 3.14.")


def _compiler() -> Check:
    found = next((path for name in ("c++", "g++", "clang++", "cl") if (path := shutil.which(name))), None)
    if found:
        return Check("compiler", "ok", found)
    fix = "Install g++ or clang++ before you update or rebuild; what is installed goes on working."
    return Check("compiler", "warn", "No C++ compiler on the PATH; llama.cpp cannot be rebuilt.", fix)


def _bindings() -> Check:
    try:
        return Check("llama.cpp", "ok", f"llama-cpp-python {version('llama-cpp-python')}")
    except PackageNotFoundError:
        return Check(
            "llama.cpp", "fail", "llama-cpp-python is not installed.", "Run make demo, or pip install spark-lsp."
        )


def _on_path() -> Check:
    found = shutil.which("spark-lsp")
    if found:
        return Check("command", "ok", found)
    here = Path(sys.executable).parent / "spark-lsp"
    fix = f"Give your editor the full path: {here}"
    return Check("command", "warn", "spark-lsp is not on the PATH, so an editor finds it only by its path.", fix)


def _editors() -> Check:
    found = [name for name in ("nvim", "code", "codium", "emacs", "hx") if shutil.which(name)]
    if found:
        return Check("editor", "ok", ", ".join(found))
    return Check("editor", "warn", "No known editor on the PATH.", "See docs/editors.md for the set-up of yours.")


def _watches() -> Check:
    limit = Path("/proc/sys/fs/inotify/max_user_watches")
    if not limit.exists():
        return Check("watcher", "ok", f"{platform.system()} needs no watch limit")
    number = int(limit.read_text("utf-8"))
    if number >= FEWEST_WATCHES:
        return Check("watcher", "ok", f"{number} inotify watches")
    fix = f"sudo sysctl fs.inotify.max_user_watches={FEWEST_WATCHES * 8}"
    return Check("watcher", "warn", f"Only {number} inotify watches; changes in large folders may be missed.", fix)


def _memory() -> Check:
    memory = psutil.virtual_memory()
    detail = f"{memory.available / 2**30:.1f} GiB free of {memory.total / 2**30:.1f} GiB, {os.cpu_count()} cores"
    return Check("memory", "ok", detail)


async def _model_checks(settings: Settings) -> list[Check]:
    """Look at the model as an editor would use it: find, load, fill a hole with a known answer."""
    try:
        path = resolve_model(settings.model)
        engine = open_engine(settings)
    except SparkError as error:
        return [Check("model", "fail", str(error), error.fix)]
    try:
        info = await engine.start()
    except SparkError as error:
        await engine.close()
        return [Check("model", "fail", str(error), error.fix)]
    rooms = open_rooms(None, settings, engine=engine)
    try:
        checks = [
            Check("model", "ok", f"{info.name}, {info.size_bytes / 1e6:.1f} MB, {path}"),
            _fit(info),
            _family(info),
        ]
        if info.family:
            hole = Hole(Snapshot("untitled:doctor.py", None, 0, "python", KNOWN_HOLE), len(KNOWN_HOLE))
            answer = await rooms.completer.complete(hole, manual=True)
            checks.append(_known_hole(answer.suggestion.text if answer.suggestion else "", answer.reason))
        return checks
    finally:
        await rooms.close()


def _fit(info: ModelInfo) -> Check:
    detail = f"{info.context_tokens} tokens of context"
    if info.notes:
        detail = f"{detail}. {' '.join(info.notes)}"
    if info.context_tokens >= FEWEST_CONTEXT_TOKENS:
        return Check("context", "ok", detail)
    fix = "Free memory, raise engine.memoryLimitBytes, or choose a smaller model."
    return Check("context", "warn", detail, fix)


def _family(info: ModelInfo) -> Check:
    if info.family:
        return Check("fim tokens", "ok", f"{info.family}, {'suffix' if info.fim_order == 'spm' else 'prefix'} first")
    fix = "Choose a code model with fill-in-the-middle support: spark-lsp models list."
    return Check("fim tokens", "fail", f"{info.name} has no fill-in-the-middle tokens that we know.", fix)


def _known_hole(text: str, reason: str) -> Check:
    if text.startswith(KNOWN_ANSWER):
        return Check("known hole", "ok", f"last_week -> last_week{text.splitlines()[0]}")
    detail = f"Expected {KNOWN_ANSWER!r} after last_week, the model wrote {text!r} ({reason})."
    return Check("known hole", "warn", detail, "The model may be too weak or broken; try the embedded one.")
