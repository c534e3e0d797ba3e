"""What a running endpoint leaves for others to find: its token, which only its owner may read, and where it listens."""

import ipaddress
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import psutil

from spark_lsp.private_file import open_private

RECORD_FILE: Final = "openai-endpoint.json"
TOKEN_FILE: Final = "openai-token"  # noqa: S105  the name of a file
_TOKEN_BYTES: Final = 32
_MIN_TOKEN_CHARS: Final = 16


class RunningEndpoint(msgspec.Struct, frozen=True):
    """Where an endpoint listens, and the process that does; ``started_s`` tells it from a later one of the same id."""

    url: str
    pid: int
    started_s: float
    is_loopback: bool


def token_of(folder: Path) -> str:
    """Return the token in a folder, made the first time; only its owner may read the file afterwards."""
    file = folder / TOKEN_FILE
    token = ""
    with suppress(OSError, UnicodeDecodeError):
        token = file.read_text("ascii").strip()
    if len(token) < _MIN_TOKEN_CHARS:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_private(file) as stream:
        stream.write(f"{token}\n")
    return token


def is_loopback(host: str) -> bool:
    """Whether a host can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def record(folder: Path, url: str, *, loopback: bool) -> None:
    """Write down that this process serves an address."""
    process = psutil.Process()
    running = RunningEndpoint(url, process.pid, process.create_time(), loopback)
    with open_private(folder / RECORD_FILE) as stream:
        stream.write(msgspec.json.encode(running).decode())


def forget(folder: Path) -> None:
    """Take the record of this process away; one of another process stays."""
    running = running_endpoint(folder)
    if running is not None and running.pid == os.getpid():
        (folder / RECORD_FILE).unlink(missing_ok=True)


def running_endpoint(folder: Path) -> RunningEndpoint | None:
    """Return the endpoint that is recorded and whose process lives; None where there is none."""
    try:
        running = msgspec.json.decode((folder / RECORD_FILE).read_bytes(), type=RunningEndpoint)
        started_s = psutil.Process(running.pid).create_time()
    except (OSError, msgspec.DecodeError, psutil.Error):
        return None
    return running if abs(started_s - running.started_s) < 1 else None
