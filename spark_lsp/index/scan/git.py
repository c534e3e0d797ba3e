"""Runs git for its history: which files the last commits changed, and where HEAD is.

The repository comes from whoever wrote it, so nothing in its configuration may run a program or reach a network: see
docs/decisions/ranking.md. Never raises and never says anything: what cannot be read is nothing.
"""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from spark_lsp.index.scan.plain_file import read_small_text
from spark_lsp.index.scan.repository import SMALL_BYTES, common_folder, git_environment, git_folder_of, git_program

COMMITS = 1_000
LIMIT_S = 10.0  # it takes some 0.02 s here; a repository of very many files on a cold disk takes seconds
MAX_BYTES = 4_000_000  # a thousand commits like those of this repository print a sixteenth of that
NICENESS = 10

_MARK: Final = b"\x01"  # for a commit; nobody names a file so
_SETTINGS = (
    *("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "log.showSignature=false"),
    *("log.showRoot=false", "protocol.allow=never"),  # a first commit, and where a shallow clone ends, is no change
)
_LOG = (
    *("log", f"--max-count={COMMITS}", "--no-merges", "--relative", "--name-only", "-z", "--format=%x01"),
    *("--no-renames", "--no-ext-diff", "--no-textconv", "--no-show-signature", "--no-mailmap", "--no-color"),
)
_FLAGS: Final[int] = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)

Started = Callable[["subprocess.Popen[bytes]"], None]


def head_of(root: Path) -> tuple[str, ...]:
    """Return what tells one position of HEAD from another, from a few small files; empty without a repository."""
    folder = _repository_folder(root)
    head = _small_text(folder, "HEAD") if folder else ""
    if folder is None or not head:
        return ()
    common = common_folder(folder)
    ref = head.removeprefix("ref:").strip()
    if not ref.startswith("refs/") or ".." in ref.split("/"):
        return (str(folder), head)
    packed = ""
    with suppress(OSError):
        status = (common / "packed-refs").stat()
        packed = f"{status.st_mtime_ns} {status.st_size}"
    return (str(folder), head, _small_text(common, ref), packed, _small_text(common, "reftable/tables.list"))


def changed_files(
    root: Path,
    started: Started = lambda _process: None,
    *,
    limit_s: float = LIMIT_S,
    most_bytes: int = MAX_BYTES,
) -> list[list[str]]:
    """Return the files that each of the last commits changed, the newest commit first; paths relative to ``root``.

    Merges are left out, and so are files outside ``root``. ``started`` receives the process, so that it can be killed
    from another thread. Blocks for up to ``limit_s``; meant for a worker thread. Nothing comes out of a run that took
    longer or failed; what is more than ``most_bytes`` is cut off.
    """
    program = git_program(root)
    if program is None:
        return []
    settings = [part for setting in _SETTINGS for part in ("-c", setting)]
    command = [program, "--no-pager", *settings, *_LOG]
    try:
        process = subprocess.Popen(  # noqa: S603 - git of the user's PATH, with nothing of the repository in the command
            command,
            cwd=root,
            env=git_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=_FLAGS,
        )
    except (OSError, ValueError):
        return []
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    started(process)
    return list(_commits(_output(process, limit_s, most_bytes)))


def _output(process: "subprocess.Popen[bytes]", limit_s: float, most_bytes: int) -> bytes:
    """Read what git prints, and end it when that takes too long or is too much; only whole commits come out."""
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
        return raw.rpartition(_MARK + b"\0")[0]
    return raw if process.returncode == 0 else b""


def _commits(raw: bytes) -> Iterator[list[str]]:
    """Take apart what git prints: a mark, and on a line of its own the names, each with a NUL behind it."""
    for commit in raw.split(_MARK + b"\0")[1:]:
        yield [name.decode("utf-8", "replace") for name in commit.removeprefix(b"\n").split(b"\0") if name]


def _repository_folder(root: Path) -> Path | None:
    """Return the folder that holds HEAD."""
    return next((place for folder in (root, *root.parents) if (place := git_folder_of(folder))), None)


def _small_text(folder: Path, name: str) -> str:
    return read_small_text(str(folder / name), SMALL_BYTES)
