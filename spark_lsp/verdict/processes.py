"""Run a user's tool within limits of time and output. Every process has its own group and none outlives the work.

Blocks; call it on a thread. ``stop`` may be called from another one.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

MAX_OUTPUT_BYTES: Final = 8_000_000
_GROUP_FLAGS: Final[int] = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(
    subprocess, "CREATE_NO_WINDOW", 0
)
ENVIRONMENT: Final[Mapping[str, str]] = {
    "LC_ALL": "C",
    "PYTHONSAFEPATH": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "NO_COLOR": "1",
}
"""Added to the user's environment: a tool imports no module of the folder that it runs in."""


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool printed, both streams in one, and its exit status."""

    text: str
    status: int


@dataclass(frozen=True, slots=True)
class ToolFailure:
    """Why a tool has not checked a text: it was not in time, or it failed; ``message`` is one sentence."""

    is_timeout: bool
    message: str


class Processes:
    """The processes of one check. Used as a context: they are killed at the deadline, and at the latest on leaving."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._is_stopped = False
        self._watchdog = threading.Timer(limit_s, self.stop)
        self._watchdog.daemon = True

    def __enter__(self) -> Self:
        self._watchdog.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._watchdog.cancel()
        for process in tuple(self._running):
            self.end(process)

    def run(
        self, command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None
    ) -> ToolOutput | ToolFailure:
        """Run a tool in a folder until it ends; ``variables`` are added to its environment."""
        process = self.start(command, folder, variables, errors=subprocess.STDOUT)
        if isinstance(process, ToolFailure):
            return process
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        with process.stdout:
            raw = process.stdout.read(MAX_OUTPUT_BYTES + 1)
            if len(raw) <= MAX_OUTPUT_BYTES:
                _wait_unreaped(process)
        self.end(process)
        if self.is_stopped:
            return self.too_late(command[0])
        if len(raw) > MAX_OUTPUT_BYTES:
            return ToolFailure(is_timeout=False, message=f"{Path(command[0]).name} printed too much.")
        return ToolOutput(raw.decode("utf-8", "replace"), process.returncode)

    def start(
        self,
        command: Sequence[str],
        folder: Path,
        variables: Mapping[str, str] | None = None,
        *,
        errors: int = subprocess.DEVNULL,
    ) -> "subprocess.Popen[bytes] | ToolFailure":
        """Start a tool that reads and prints through pipes; ``end`` ends it."""
        with self._lock:
            if self._is_stopped:
                return self.too_late(command[0])
            try:
                process = subprocess.Popen(  # noqa: S603 - a tool that the user allows, found outside of the workspace
                    list(command),
                    cwd=folder,
                    env={**os.environ, **ENVIRONMENT, **(variables or {})},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                    creationflags=_GROUP_FLAGS,
                )
            except (OSError, ValueError) as error:
                return ToolFailure(is_timeout=False, message=f"{Path(command[0]).name} could not be started: {error}.")
            self._running.add(process)
        return process

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        """Kill a process with everything that it started, and wait for it."""
        with self._lock:
            _kill_group(process)
            process.wait()
            self._running.discard(process)
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):  # what was not written yet
                if stream:
                    stream.close()

    def stop(self) -> None:
        """Kill all processes; none is started any more."""
        with self._lock:
            self._is_stopped = True
            for process in self._running:
                _kill_group(process)

    @property
    def is_stopped(self) -> bool:
        """Whether the deadline has passed, or the work was cancelled."""
        return self._is_stopped

    def too_late(self, program: str) -> ToolFailure:
        """Return the failure of a tool that was stopped."""
        return ToolFailure(is_timeout=True, message=f"{Path(program).name} did not end within {self._limit_s:g} s.")


def _wait_unreaped(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the end of a process; where the system can, its number stays taken, so that its group can be killed."""
    if sys.platform == "win32" or not hasattr(os, "waitid"):
        process.wait()
        return
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # macOS says so of a group of which only the zombie is left
        os.killpg(process.pid, signal.SIGKILL)
