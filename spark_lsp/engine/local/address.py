"""The endpoints of engine processes: the private runtime folder, and one endpoint for each model and parameters.

Equal launches have equal endpoints, so two editor windows find the same process. Never opens a socket.
"""

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from spark_lsp.engine.wire.frames import PROTOCOL, Endpoint, EngineLaunch
from spark_lsp.errors import EngineFailed
from spark_lsp.warning_filters import ignored_warnings

RUNTIME_VARIABLE: Final = "SPARK_LSP_RUNTIME_DIR"
"""Names the folder of sockets and logs; set by tests."""
TRANSPORT_VARIABLE: Final = "SPARK_LSP_ENGINE_TRANSPORT"
"""``tcp`` chooses loopback sockets where Unix sockets exist too."""

_APP: Final = "spark-lsp"
_MAX_SOCKET_PATH: Final = 100  # Linux allows 107 bytes, macOS 103
_NAME_CHARS: Final = 16
_FOLDER_FIX: Final = "Set SPARK_LSP_RUNTIME_DIR to a folder of your own."


def endpoint_of(launch: EngineLaunch) -> Endpoint:
    """Return the endpoint of an engine. The name holds what the process cannot change while it runs.

    Of the disk cache only on and off count: who wants nothing written must not meet a process that writes, but a quota
    or a folder that differs is not worth a second model in memory; the process keeps those that it was started with.

    Raises:
        EngineFailed: the runtime folder cannot be made private.
    """
    path = os.path.realpath(launch.model_path)
    caches = int(bool(launch.cache_folder) and launch.cache_bytes > 0)
    shared = msgspec.structs.replace(launch, model_path=path, idle_minutes=0.0, cache_folder="", cache_bytes=caches)
    try:
        facts = Path(path).stat()
        version = f"{facts.st_size}:{facts.st_mtime_ns}"  # a replaced file is another model
    except OSError:
        version = ""
    identity = msgspec.json.encode((PROTOCOL, version, shared))
    name = hashlib.blake2b(identity, digest_size=_NAME_CHARS // 2).hexdigest()
    return _endpoint(runtime_folder(), log_folder(), name)


def endpoints() -> list[Endpoint]:
    """Return every endpoint that has an address file, running or stale."""
    folder, logs = runtime_folder(), log_folder()
    suffix = _address_suffix()
    names = sorted(path.name.removesuffix(suffix) for path in folder.glob(f"e-*{suffix}"))
    return [_endpoint(folder, logs, name.removeprefix("e-")) for name in names]


def transport() -> str:
    """Return ``unix`` or ``tcp``."""
    if sys.platform == "win32" or os.environ.get(TRANSPORT_VARIABLE) == "tcp":
        return "tcp"
    return "unix"


def runtime_folder() -> Path:
    """Return the folder of sockets, locks and tokens, which only this user can enter.

    Raises:
        EngineFailed: it belongs to someone else, or cannot be made.
    """
    configured = os.environ.get(RUNTIME_VARIABLE)
    folder = Path(configured) if configured else _user_runtime_folder()
    if len(os.fsencode(folder)) + len(f"/e-{'0' * _NAME_CHARS}.sock") > _MAX_SOCKET_PATH:
        digest = hashlib.blake2b(os.fsencode(folder), digest_size=4).hexdigest()
        folder = Path(tempfile.gettempdir()) / f"{_APP}-{_user()}-{digest}"
    return _private(folder)


def log_folder() -> Path:
    """Return the folder of the engines' logs. It may be impossible to write there: an engine works without a log."""
    configured = os.environ.get(RUNTIME_VARIABLE)
    folder = Path(configured) if configured else Path(platformdirs.user_log_dir(_APP, appauthor=False))
    with contextlib.suppress(EngineFailed):
        return _private(folder)
    return folder


def _user_runtime_folder() -> Path:
    with ignored_warnings():
        # Without a login session there is no XDG_RUNTIME_DIR; the fallback is private all the same, see _private.
        try:
            return Path(platformdirs.user_runtime_dir(_APP, appauthor=False))
        except OSError as error:  # its fallback in the folder for temporary files belongs to somebody else
            raise EngineFailed(
                f"There is no private folder for the engine's socket: {error}.", fix=_FOLDER_FIX
            ) from error


def _private(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sys.platform != "win32":
            facts = folder.stat()
            if {folder.lstat().st_uid, facts.st_uid} != {os.getuid()}:  # a link is somebody's too
                message = f"The folder {folder} belongs to another user, so the engine does not use it."
                raise EngineFailed(message, fix=_FOLDER_FIX)
            if facts.st_mode & 0o077:
                folder.chmod(0o700)
    except OSError as error:
        raise EngineFailed(f"The folder {folder} cannot be used: {error.strerror}.", fix=_FOLDER_FIX) from error
    return folder


def _endpoint(folder: Path, logs: Path, name: str) -> Endpoint:
    return Endpoint(
        transport="tcp" if transport() == "tcp" else "unix",
        address=str(folder / f"e-{name}{_address_suffix()}"),
        lock=str(folder / f"e-{name}.lock"),
        log=str(logs / f"engine-{name}.log"),
    )


def _address_suffix() -> str:
    return ".json" if transport() == "tcp" else ".sock"


def _user() -> str:
    return str(os.getuid()) if sys.platform != "win32" else "user"
