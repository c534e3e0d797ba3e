"""Processes by their ids, one of which may end at any moment: looking and then taking is a race."""

from collections.abc import Iterable
from contextlib import suppress

import psutil


def still_running(pids: Iterable[int]) -> list[psutil.Process]:
    """Return those of the processes that are there."""
    running = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            running.append(psutil.Process(pid))
    return running


def kill(pid: int) -> None:
    """Kill a process, unless it has ended."""
    for process in still_running([pid]):
        with suppress(psutil.NoSuchProcess):
            process.kill()
