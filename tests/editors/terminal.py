"""A program in a private terminal, with typed input and its screen. Waits for states, never for a length of time."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pyte

COLUMNS, ROWS = 120, 40
DEADLINE_S = 30.0
"""Seconds until a state must be reached. Only a failing test waits this long."""


class _Screen(pyte.Screen):
    """A screen that takes the questions which newer programs put to a terminal, and leaves them unanswered."""

    def report_device_status(self, *_arguments: int, **_private: bool) -> None: ...


class Terminal:
    """One program and the screen that it draws."""

    def __init__(self, command: Sequence[str], cwd: Path, variables: Mapping[str, str]) -> None:
        self._screen = _Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._master, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = {**os.environ, **variables, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=environment,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)

    def type(self, keys: str) -> None:
        """Press keys; control characters as the terminal sends them."""
        os.write(self._master, keys.encode())

    def text(self) -> str:
        """The current text of the screen."""
        while select.select([self._master], [], [], 0.02)[0]:
            try:
                self._stream.feed(os.read(self._master, 65536))
            except OSError:
                break
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait(self, what: str, state: Callable[[str], bool], *, deadline_s: float = DEADLINE_S) -> str:
        """Wait until the screen is as expected; fail with its content."""
        end = time.monotonic() + deadline_s
        while not state(screen := self.text()):
            assert time.monotonic() < end, f"waited {deadline_s:.0f} s for {what}\n{screen}"
        return screen

    def close(self) -> None:
        """End the program."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(DEADLINE_S)
        self.process.kill()
        self.process.wait()
        os.close(self._master)
