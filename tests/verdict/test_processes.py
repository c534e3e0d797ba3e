"""No tool outlives its check: at its end, at the deadline, and when the request is cancelled."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from spark_lsp.config import VerdictSettings
from spark_lsp.verdict.ask_tools import ToolVerdicts
from spark_lsp.verdict.processes import MAX_OUTPUT_BYTES, Processes, ToolFailure, ToolOutput
from tests.verdict.check import replacing, write

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups to kill")

NEVER_ENDS = """\
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1] + ".part", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""


def wait_until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    event = threading.Event()
    while not holds():
        assert time.monotonic() < deadline_s
        event.wait(0.01)


def are_gone(note: Path) -> bool:
    return all(not psutil.pid_exists(int(number)) or _is_zombie(int(number)) for number in note.read_text().split())


def _is_zombie(number: int) -> bool:
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_output_and_the_status_come_back(tmp_path: Path) -> None:
    with Processes(30) as processes:
        output = processes.run([sys.executable, "-c", "import sys; print(1); sys.exit(3)"], tmp_path)
    assert output == ToolOutput(f"1{os.linesep}", 3)


@posix
def test_at_the_deadline_the_tool_and_its_children_are_killed(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with Processes(1.5) as processes:
        failure = processes.run([sys.executable, "-c", NEVER_ENDS, str(note)], tmp_path)
    assert isinstance(failure, ToolFailure)
    assert failure.is_timeout
    assert "within 1.5 s" in failure.message
    wait_until(lambda: are_gone(note))


@posix
def test_a_child_that_keeps_the_output_open_does_not_hold_the_check_beyond_the_deadline(tmp_path: Path) -> None:
    note = tmp_path / "note"
    leaves = NEVER_ENDS.rsplit("time.sleep", 1)[0]
    with Processes(1.5) as processes:
        assert isinstance(processes.run([sys.executable, "-c", leaves, str(note)], tmp_path), ToolFailure)
    wait_until(lambda: are_gone(note))


def test_what_prints_without_end_is_cut(tmp_path: Path) -> None:
    with Processes(60) as processes:
        endless = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
        failure = processes.run([sys.executable, "-c", endless], tmp_path)
    assert failure == ToolFailure(is_timeout=False, message=f"{Path(sys.executable).name} printed too much.")
    assert MAX_OUTPUT_BYTES < 100_000_000


def test_a_program_that_cannot_be_started_is_a_failure(tmp_path: Path) -> None:
    with Processes(30) as processes:
        failure = processes.run([str(tmp_path / "nothing")], tmp_path)
        assert isinstance(failure, ToolFailure)
        assert "could not be started" in failure.message
        processes.stop()
        late = processes.run([sys.executable, "-c", ""], tmp_path)
    assert isinstance(late, ToolFailure)
    assert late.is_timeout


@posix
async def test_a_cancelled_request_kills_the_tool_before_it_ends(tmp_path: Path) -> None:
    root, note = tmp_path / "w", tmp_path / "note"
    write(root, {"main.py": "x = 1\n", "mypy.ini": "[mypy]\n"})
    tool = tmp_path / "mypy"
    tool.write_text(f"#!{sys.executable}\nimport sys\nsys.argv[1:] = [{str(note)!r}]\n{NEVER_ENDS}", "utf-8")
    tool.chmod(0o755)
    verdicts = ToolVerdicts(root, VerdictSettings(tools=("mypy",), paths={"mypy": str(tool)}), tmp_path / "cache")
    work = asyncio.create_task(verdicts.of([replacing(root, "main.py", "1", "2")]))
    await asyncio.to_thread(wait_until, note.exists)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    wait_until(lambda: are_gone(note))
