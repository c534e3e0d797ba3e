"""Show the progress of the set-up: a line for each task, which moves on a terminal and is printed elsewhere.

Uses only the standard library, because it runs before anything is installed.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence

LINE_INTERVAL_S = 0.5
PLAIN_INTERVAL_S = 10.0
_STARTED_S = time.monotonic()  # of the whole set-up, because several displays follow each other


class ProgressLines:
    """One display for all tasks that run at the same time."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._printed_s = time.monotonic()
        self._drawn = 0

    def show(self, texts: Sequence[str]) -> None:
        """Show the running tasks, one text for each."""
        now_s = time.monotonic()
        head = f"  {clock(now_s - _STARTED_S)}  "
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            lines = [f"{head if number == 0 else ' ' * len(head)}{text}"[:width] for number, text in enumerate(texts)]
            sys.stdout.write(self._up() + "\n".join(f"\033[K{line}" for line in lines) + "\033[J")
            self._drawn = len(lines)
        elif now_s - self._printed_s >= PLAIN_INTERVAL_S:
            self._printed_s = now_s
            sys.stdout.write(f"{head}{'; '.join(texts)}\n")
        sys.stdout.flush()

    def clear(self) -> None:
        """Remove the moving lines."""
        if self._is_terminal:
            sys.stdout.write(self._up() + "\033[J")
            self._drawn = 0
            sys.stdout.flush()

    def _up(self) -> str:
        return "\r" + (f"\033[{self._drawn - 1}A" if self._drawn > 1 else "")


def clock(seconds: float) -> str:
    """Return a duration such as ``1:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
