"""Opens files that only their owner may read, whatever the umask: logs, statistics and reports of a user's work."""

import os
import stat
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, cast

PRIVATE_MODE = 0o600


def open_private(path: Path | str, mode: str = "w", *, encoding: str | None = "utf-8") -> TextIOWrapper:
    """Open a text file for writing."""
    return cast("TextIOWrapper", open(path, mode, encoding=encoding, opener=_open))


def open_private_bytes(path: Path | str) -> BinaryIO:
    """Open a file for writing bytes."""
    return open(path, "wb", opener=_open)


def _open(path: str, flags: int) -> int:
    """Open with a mode that others have no part in; a file that is there loses their rights."""
    descriptor = os.open(path, flags, PRIVATE_MODE)
    with suppress(OSError):  # somebody else's file, or a file system without rights
        if hasattr(os, "fchmod") and stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, PRIVATE_MODE)
    return descriptor
