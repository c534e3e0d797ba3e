"""Reads a regular file up to a limit. Never blocks on a pipe, never reads a device."""

import os
import stat

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_bytes(path: str, max_bytes: int, *, follows_links: bool = True) -> bytes | None:
    """Read up to one byte more than allowed; None if it is no regular file (a pipe would block forever).

    Raises:
        OSError, ValueError: there is no such file, it may not be read, or it is a link that is not followed.
    """
    handle = os.open(path, _FLAGS | (0 if follows_links else _NO_FOLLOW))
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return None
        raw = os.read(handle, min(status.st_size, max_bytes) + 1)  # a whole file in one call, as a rule
        if len(raw) == status.st_size:
            return raw
        chunks = [raw]
        while chunks[-1] and sum(map(len, chunks)) <= max_bytes:
            chunks.append(os.read(handle, max_bytes + 1))
        return b"".join(chunks)
    finally:
        os.close(handle)


def read_small_text(path: str, max_bytes: int) -> str:
    """Read a short text without the blanks around it; empty for one that cannot be read or is longer."""
    try:
        raw = read_bytes(path, max_bytes)
    except (OSError, ValueError):
        return ""
    return raw.decode("utf-8", "replace").strip() if raw is not None and len(raw) <= max_bytes else ""
