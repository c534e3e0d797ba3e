"""Linux's inotify: three system calls and the layout of their events. Says what changed in which watched folder."""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MODIFY: Final = 0x2
CLOSE_WRITE: Final = 0x8
MOVED_FROM: Final = 0x40
MOVED_TO: Final = 0x80
CREATE: Final = 0x100
DELETE: Final = 0x200
OVERFLOW: Final = 0x4000
"""Events were lost: the kernel's queue was full."""
ENDED: Final = 0x8000
"""The folder of a watch is gone, and the watch with it."""
ONLY_FOLDERS: Final = 0x1000000
NO_LINKS: Final = 0x2000000
IS_FOLDER: Final = 0x40000000

_HEAD: Final = struct.Struct("iIII")
_BYTES_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class InotifyEvent:
    """A change of ``name`` in the folder of ``watch``; ``kinds`` are the bits of this module's names."""

    watch: int
    kinds: int
    name: str


class Inotify:
    """One inotify instance; a user has some hundred of them."""

    def __init__(self) -> None:
        """Open it.

        Raises:
            OSError: the user has no instance left, or the system has no inotify.
        """
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.handle: int = self._checked(self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
        """To be polled for events."""

    def add(self, folder: str, kinds: int) -> int:
        """Watch a folder, not what is below its folders; return the number of the watch.

        Raises:
            OSError: it is no folder or is gone (ENOENT, ENOTDIR), or no watch is left (ENOSPC).
        """
        return self._checked(self._libc.inotify_add_watch(self.handle, os.fsencode(folder), ctypes.c_uint32(kinds)))

    def remove(self, watch: int) -> None:
        """End a watch; one that has ended already is fine."""
        self._libc.inotify_rm_watch(self.handle, watch)

    def read(self) -> Iterator[InotifyEvent]:
        """Yield the events that are there, without waiting for any."""
        try:
            raw = os.read(self.handle, _BYTES_AT_ONCE)
        except BlockingIOError:
            return
        at = 0
        while at < len(raw):
            watch, kinds, _, length = _HEAD.unpack_from(raw, at)
            at += _HEAD.size + length
            yield InotifyEvent(watch, kinds, os.fsdecode(raw[at - length : at].rstrip(b"\0")))

    def close(self) -> None:
        """Close it, and every watch with it."""
        os.close(self.handle)

    @staticmethod
    def _checked(number: int) -> int:
        if number < 0:
            code = ctypes.get_errno() or errno.EIO
            raise OSError(code, os.strerror(code))
        return number
