"""Run git on an untrusted repository, and return its output, within limits of time and size.

Nothing in the repository's configuration may run a program or reach a network: see docs/decisions/ranking.md. Never
raises: what cannot be read is nothing.
"""

import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spark_lsp.index.scan.repository import NO_WINDOW, git_environment, git_program

_SAFE: Final = ("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "protocol.allow=never")
_LOW_PRIORITY: Final[int] = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
_NICENESS: Final = 10

Started = Callable[["subprocess.Popen[bytes]"], None]


@dataclass(frozen=True, slots=True)
class GitOutput:
    """Git's output; ``is_cut`` if it was longer than the limit and the rest is missing."""

    raw: bytes = b""
    is_cut: bool = False


def git_output(
    root: Path,
    arguments: Sequence[str],
    *,
    limit_s: float,
    most_bytes: int,
    settings: Sequence[str] = (),
    is_low_priority: bool = False,
    started: Started = lambda _process: None,
) -> GitOutput:
    """Run git in a folder and return its output; nothing of a run that took longer than ``limit_s`` or failed.

    ``settings`` replace the repository's own. ``started`` receives the process, so that another thread can kill it.
    """
    program = git_program(root)
    if program is None:
        return GitOutput()
    options = [part for setting in (*_SAFE, *settings) for part in ("-c", setting)]
    try:
        process = subprocess.Popen(  # noqa: S603 - git of the user's PATH, with nothing of the repository in the command
            [program, "--no-pager", *options, *arguments],
            cwd=root,
            env=git_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=NO_WINDOW | (_LOW_PRIORITY if is_low_priority else 0),
        )
    except (OSError, ValueError):
        return GitOutput()
    if is_low_priority:
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
    started(process)
    return _read(process, limit_s, most_bytes)


def _read(process: "subprocess.Popen[bytes]", limit_s: float, most_bytes: int) -> GitOutput:
    assert process.stdout
    timer = threading.Timer(limit_s, process.kill)
    timer.start()
    with process, process.stdout:
        raw = process.stdout.read(most_bytes)
        is_cut = len(raw) == most_bytes
        if is_cut:
            process.kill()
    timer.cancel()
    if is_cut:
        return GitOutput(raw, is_cut=True)
    return GitOutput(raw if process.returncode == 0 else b"")
