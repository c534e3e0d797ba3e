"""The engine process's listener: one process for an endpoint, on a socket that only this user can reach.

Knows sockets and files and nothing of models or frames.
"""

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO

import msgspec

from spark_lsp.engine.wire.frames import Endpoint, TcpAddress

ConnectionHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_OWNER_ONLY = 0o600


def hold_lock(path: str) -> IO[bytes] | None:
    """Take the endpoint for this process as long as the file stays open; None when another process has it."""
    file = Path(path).open("ab")  # noqa: SIM115  the caller keeps it open for life
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


async def listen(endpoint: Endpoint, handler: ConnectionHandler) -> tuple[asyncio.Server, str]:
    """Open the endpoint, of which the lock is held; return the server and the token that clients must bring."""
    if endpoint.transport == "unix":
        return await asyncio.start_unix_server(handler, sock=_bind_unix(endpoint.address)), ""
    token = secrets.token_hex(32)
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    _write_private(endpoint.address, msgspec.json.encode(TcpAddress(port, token)))
    return server, token


def leave(endpoint: Endpoint) -> None:
    """Take the address away. The lock file stays: removing it would let two processes hold two locks."""
    Path(endpoint.address).unlink(missing_ok=True)


def _bind_unix(address: str) -> socket.socket:
    Path(address).unlink(missing_ok=True)  # left by a process that was killed: the lock was free
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 - _OWNER_ONLY)
    try:
        listener.bind(address)
    finally:
        os.umask(before)
    return listener


def _write_private(path: str, content: bytes) -> None:
    fresh = f"{path}.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    Path(fresh).replace(path)
