"""Run a module's own tests with an edited copy of it in place of the real one, in a separate process."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts.prove_actions.corpus import Subject

TESTS_LIMIT_S: Final = 60.0
_SHORT = 400


def path_of(subject: Subject) -> Path | None:
    """Return the file of a subject; None if this Python has none."""
    try:
        spec = importlib.util.find_spec(subject.module)
    except ImportError:
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def failing(subject: Subject, text: str) -> str:
    """Run the tests with this text as the module; return the failures, empty if all passed."""
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        _shadow(subject, text, Path(folder))
        variables = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
        command = [sys.executable, "-W", "ignore", "-m", "unittest", "-f", subject.tests]
        return failure_of(command, Path(folder), variables, limit_s=TESTS_LIMIT_S, most_characters=_SHORT * 4)


def failure_of(
    command: Sequence[str], folder: Path, variables: Mapping[str, str], *, limit_s: float, most_characters: int
) -> str:
    """Run tests by a command; return the end of their output if one failed, empty if all passed."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"not finished after {limit_s:.0f} s"
    return "" if done.returncode == 0 else ((done.stdout + done.stderr)[-most_characters:] or "failed")


def _shadow(subject: Subject, text: str, folder: Path) -> None:
    """Write the module, with the rest of its package, to the folder that Python searches first."""
    path = path_of(subject)
    assert path is not None, "the caller has looked"
    parts = subject.module.split(".")
    if len(parts) == 1:
        (folder / path.name).write_text(text, "utf-8", newline="")
        return
    top = path.parents[len(parts) - 2]
    if path.name == "__init__.py":
        top = path.parents[len(parts) - 1]
    shutil.copytree(top, folder / parts[0], ignore=shutil.ignore_patterns("__pycache__"))
    (folder / parts[0] / path.relative_to(top)).write_text(text, "utf-8", newline="")
