"""Changed paths until no more come: a branch switch sends many messages and is one event.

Has no clock and no timer: who uses it passes the time and waits until ``due_s``.
"""

from collections.abc import Iterable
from typing import Final

QUIET_S: Final = 0.2
"""Seconds without another change that end a burst; a branch switch writes files with shorter pauses between them."""
MAX_S: Final = 2.0
"""Seconds after which a burst ends in any case: a build that never stops writing must not delay changes forever."""


class PathBurst:
    """The paths of one burst. Belongs to one thread."""

    def __init__(self, *, quiet_s: float = QUIET_S, longest_s: float = MAX_S) -> None:
        self._quiet_s = quiet_s
        self._longest_s = longest_s
        self._paths: set[str] = set()
        self._latest_s = 0.0
        self._quiet_at_s = 0.0

    @property
    def due_s(self) -> float | None:
        """When the burst ends if nothing more comes, on the caller's clock; None without one."""
        return min(self._quiet_at_s, self._latest_s) if self._paths else None

    def add(self, paths: Iterable[str], now_s: float) -> None:
        """Take paths in; without any the burst goes on as it was."""
        added = set(paths)
        if not added:
            return
        if not self._paths:
            self._latest_s = now_s + self._longest_s
        self._quiet_at_s = now_s + self._quiet_s
        self._paths |= added

    def take(self) -> set[str]:
        """Return the paths and begin again."""
        taken, self._paths = self._paths, set()
        return taken
