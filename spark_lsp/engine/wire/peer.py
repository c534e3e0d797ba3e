"""Identify the user at the other end of a local socket by the operating system, so that no peer can pretend."""

import os
import socket
import struct
import sys
from typing import Any, Final

_UCRED: Final = struct.Struct("3i")  # pid, uid, gid: socket.h, struct ucred
_LOCAL_PEERCRED: Final = 1  # macOS, sys/un.h
_XUCRED: Final = struct.Struct("II")  # version and uid: sys/ucred.h, struct xucred
_XUCRED_BYTES: Final = 76
_SUPERUSER: Final = 0


def is_own_peer(connection: Any) -> bool:
    """Whether the peer of a Unix socket runs as this user or as the superuser, who can do all of it anyway.

    True for sockets of other kinds, whose peers prove themselves by a token, and where the system does not say.
    """
    if sys.platform == "win32" or connection is None or connection.family != socket.AF_UNIX:
        return True
    peer = peer_user(connection)
    return peer is None or peer in {os.getuid(), _SUPERUSER}


def peer_user(connection: Any) -> int | None:
    """Return the user id of a Unix socket's peer, None where the system does not say."""
    linux_option = getattr(socket, "SO_PEERCRED", None)
    try:
        if linux_option is not None:
            packed = connection.getsockopt(socket.SOL_SOCKET, linux_option, _UCRED.size)
            return int(_UCRED.unpack(packed)[1])
        packed = connection.getsockopt(0, _LOCAL_PEERCRED, _XUCRED_BYTES)
        return int(_XUCRED.unpack_from(packed)[1])
    except (OSError, struct.error):
        return None
