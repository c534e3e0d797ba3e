"""Watches the editor's process: the server ends with it, also where somebody else still holds its pipe.

A process that is not there when the watch begins is not watched: an editor in a container or on another machine names
a process of its own system.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

POLL_S: Final = 3.0
"""How often a system without process handles is asked; a server that outlives its editor costs memory, no work."""


class EditorProcess:
    """The process of the editor; ``gone`` is called once when it has ended. Belongs to one event loop."""

    def __init__(self, process_id: int, gone: Callable[[], None]) -> None:
        self._process_id = process_id
        self._gone = gone
        self._handle = -1
        self._polling: asyncio.Task[None] | None = None

    def watch(self) -> bool:
        """Begin to watch; False where there is no such process."""
        if not _is_alive(self._process_id):
            return False
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._handle = os.pidfd_open(self._process_id)
                asyncio.get_running_loop().add_reader(self._handle, self._ended)
                return True
        self._polling = asyncio.create_task(self._poll(), name="editor process")
        return True

    def close(self) -> None:
        """Stop watching."""
        if self._polling:
            self._polling.cancel()
        if self._handle >= 0:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = -1

    def _ended(self) -> None:
        self.close()
        self._gone()

    async def _poll(self) -> None:
        while _is_alive(self._process_id):  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(POLL_S)
        self._gone()


def _is_alive(process_id: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    if process_id <= 0:
        return False
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it belongs to somebody else
    try:
        state = Path(f"/proc/{process_id}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state not in {"Z", "X"}
