"""What files that git ignores cost while they are rewritten all the time: processor time, refreshes, statuses."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import psutil

from scripts.torture.connection import Server

COMMAND: Final = ("-m", "scripts.torture.fuzzed_server")
MODULES: Final = 400
FILES: Final = MODULES + 1
"""What is indexed: the modules and the file of ignore rules."""
FILES_PER_S: Final = 200
MAX_SHARE: Final = 0.02
"""Of one core, as the issue about workspaces promises."""
READY_S: Final = 120.0
POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Churn:
    """What a run cost; shares are of one core."""

    watcher: str
    seconds: float
    files: int
    idle_share: float
    busy_share: float
    statuses: int
    notices_new_file: bool

    @property
    def is_good(self) -> bool:
        """Whether it cost as little as is promised, and a real change was still seen."""
        return self.busy_share <= MAX_SHARE and not self.statuses and self.notices_new_file


def measure(folder: Path, *, client_watches: bool, seconds: float) -> Churn:
    """Rewrite ignored files for some time beside a server and return what that cost it."""
    root = folder / "w"
    root.mkdir()
    write_tree(root)
    server = Server(COMMAND, folder)
    watched = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}} if client_watches else {}
    server.initialize(root, capabilities=watched)
    is_indexed = _wait(server, lambda status: status["indexed"]["files"] == FILES)
    _wait_until_quiet(server)
    process = psutil.Process(server.process.pid)
    idle = _share(process, seconds / 4, iter(lambda: None, 0))
    before = len(server.statuses)
    changed = _changes(root, server if client_watches else None)
    busy = _share(process, seconds, changed)
    statuses = len(server.statuses) - before
    new = root / "fresh.py"
    new.write_text("def fresh():\n    return 1\n", "utf-8")
    if client_watches:
        _tell(server, [new])
    notices = _wait(server, lambda status: status["indexed"]["files"] == FILES + 1)
    server.end()
    name = "client's" if client_watches else "own"
    return Churn(name, seconds, round(seconds * FILES_PER_S), idle, busy, statuses, is_indexed and notices)


def write_tree(root: Path) -> None:
    """Write modules, and the rules that ignore a folder and some names."""
    (root / ".gitignore").write_text("run/\n*.trace.py\n", "utf-8")
    for number in range(MODULES):
        path = root / f"part{number % 20}" / f"module{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"def function_{number}(value):\n    return value + {number}\n", "utf-8")
    (root / "run").mkdir()


def rewrite(root: Path, seconds: float) -> None:
    """Rewrite ignored files for some time."""
    _take(_changes(root, None), seconds)


def _changes(root: Path, server: Server | None) -> Iterator[None]:
    """Rewrite one file at each step: half of them in an ignored folder, half of them ignored by their names."""
    for number in count():
        name = f"run/part{number % 500}.py" if number % 2 else f"part{number % 20}/log{number % 40}.trace.py"
        path = root / name
        path.write_text(f"value = {number}\n", "utf-8")
        if server is not None and number % 10 == 0:
            _tell(server, [path] * 10)
        yield None


def _tell(server: Server, paths: list[Path]) -> None:
    changes = [{"uri": path.as_uri(), "type": 2} for path in paths]
    server.notify("workspace/didChangeWatchedFiles", {"changes": changes})


def _share(process: psutil.Process, seconds: float, steps: Iterator[Any]) -> float:
    """Take steps at their pace and return the share of a core that the process and its workers used meanwhile."""
    began_s, before_s = time.monotonic(), used_s(process)
    _take(steps, seconds)
    return round((used_s(process) - before_s) / (time.monotonic() - began_s), 4)


def _take(steps: Iterator[Any], seconds: float) -> None:
    began_s, done = time.monotonic(), 0
    while (passed_s := time.monotonic() - began_s) < seconds:
        while done < passed_s * FILES_PER_S:
            next(steps)
            done += 1
        time.sleep(POLL_S)


def used_s(process: psutil.Process) -> float:
    """Return the processor time of a process and its children so far."""
    times = [running.cpu_times() for running in (process, *process.children(recursive=True))]
    return float(sum(time.user + time.system for time in times))


def _wait(server: Server, is_reached: Any) -> bool:
    until_s = time.monotonic() + READY_S
    while time.monotonic() < until_s:
        if server.statuses and is_reached(server.statuses[-1]):
            return True
        time.sleep(POLL_S)
    return False


def _wait_until_quiet(server: Server) -> None:
    """Wait until no status has come for a second: the start is over, its workers have left."""
    seen, since_s = len(server.statuses), time.monotonic()
    process = psutil.Process(server.process.pid)
    while time.monotonic() - since_s < 1 or process.children():
        if len(server.statuses) != seen:
            seen, since_s = len(server.statuses), time.monotonic()
        time.sleep(POLL_S)
