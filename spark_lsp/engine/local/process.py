"""Start, query and stop engine processes, and describe a model file in a separate process.

Functions that block say so. Never imports llama_cpp and never waits without a limit.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import IO, Final

import msgspec
import psutil

from spark_lsp.engine.base import EngineStatus, ModelInfo
from spark_lsp.engine.local.address import endpoints
from spark_lsp.engine.local.binding import require_binding
from spark_lsp.engine.local.link import Link, connect
from spark_lsp.engine.wire import frames
from spark_lsp.errors import EngineFailed, SparkError

_LOG_BYTES: Final = 1024 * 1024
_OWNER_ONLY: Final = 0o600
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""A log that somebody replaced by a link or a pipe is not written to."""
_ASK_S: Final = 2.0
_STOP_S: Final = 10.0
_LEAVE_S: Final = 40.0  # a process that hears us ends by itself in 30, also where its model hangs
_PROBE_S: Final = 60.0
_KILLED_S: Final = 5.0  # a killed process is gone at once, unless the system itself holds it


def spawn(order: frames.HostOrder) -> subprocess.Popen[bytes]:
    """Start an engine process that outlives this one; its output goes to its log. Blocks for some milliseconds.

    Raises:
        EngineFailed: the process cannot be started.
    """
    require_binding()
    # -P keeps modules that are in the working folder, which is the user's workspace, out of our process.
    command = [sys.executable, "-P", "-m", "spark_lsp", "engine", "run", msgspec.json.encode(order).decode()]
    try:
        with _log_or_nothing(Path(order.endpoint.log)) as log:
            if sys.platform == "win32":
                flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
                process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, creationflags=flags
                )
            else:
                # A session of its own, so that an editor's Ctrl-C does not reach it.
                process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
    except OSError as error:
        raise EngineFailed(f"The engine process cannot be started: {error.strerror}.") from error
    Thread(target=process.wait, name="engine-reaper", daemon=True).start()
    return process


def end(endpoint: frames.Endpoint, pid: int = 0) -> list[int]:
    """Kill the process that serves an endpoint, or every one that was ordered to; return the ids of those killed.

    A process is known by the order on its command line, so an id that another program got since does no harm. Blocks
    until they are gone, or for some seconds.
    """
    killed = []
    for process in [psutil.Process(pid)] if pid and psutil.pid_exists(pid) else psutil.process_iter():
        try:
            if _serves(process.cmdline(), endpoint):
                process.kill()
                killed.append(process)
        except psutil.Error:
            continue  # gone already, or not ours
    psutil.wait_procs(killed, timeout=_KILLED_S)
    return [process.pid for process in killed]


def last_log_line(endpoint: frames.Endpoint) -> str:
    """Return the last line an engine wrote, "" where there is none."""
    try:
        with Path(endpoint.log).open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 4096))
            lines = log.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def log_problem(endpoint: frames.Endpoint) -> str:
    """Return one sentence where an engine has no log, "" where it has one."""
    try:
        _opened_log(Path(endpoint.log)).close()
    except OSError as error:
        return f"The engine runs without a log, because {endpoint.log} cannot be written: {error.strerror}."
    return ""


async def list_engines() -> list[EngineStatus]:
    """Return the status of every engine of this user that answers; stale addresses are passed over."""
    answers = await asyncio.gather(*(query(endpoint) for endpoint in endpoints()))
    return [status for status in answers if status is not None]


async def query(endpoint: frames.Endpoint) -> EngineStatus | None:
    """Return the state of one engine without counting as a client; None if none answers."""
    link = await _observe(endpoint)
    if link is None:
        return None
    try:
        async with asyncio.timeout(_ASK_S):
            answer = await link.call(frames.Query)
    except (SparkError, TimeoutError):
        return None
    finally:
        await link.close()
    return answer.status if isinstance(answer, frames.StatusReport) else None


async def stop_engines() -> list[int]:
    """Stop every engine of this user and return the process ids of those that went."""
    stopped = await asyncio.gather(*(stop(endpoint) for endpoint in endpoints()))
    return [pid for pid in stopped if pid is not None]


def describe_model(path: str | Path) -> ModelInfo:
    """Describe a model file by a short process of its own. Blocks for a second or so.

    Raises:
        ModelMissing, ModelUnusable: it is no usable model.
        EngineFailed: the process gave no answer.
    """
    require_binding()
    command = [sys.executable, "-P", "-m", "spark_lsp", "engine", "probe", str(path)]
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_S, check=False
        )
        answer = msgspec.json.decode(done.stdout, type=frames.ProbeAnswer)
    except (OSError, subprocess.TimeoutExpired, msgspec.DecodeError) as error:
        raise EngineFailed(f"The model {path} cannot be examined: the process that tried gave no answer.") from error
    if answer.model is None:
        raise frames.error_of(answer.error) if answer.error else EngineFailed(f"The model {path} said nothing.")
    return answer.model


async def stop(endpoint: frames.Endpoint) -> int | None:
    """Stop the engine of an endpoint and return its process id; None where none answered. One that hangs is killed."""
    link = None
    try:
        async with asyncio.timeout(_STOP_S):
            link = await connect(endpoint, observer=True)
            if link is None:
                return None
        async with asyncio.timeout(_LEAVE_S):
            link.send(frames.Stop())
            await link.ended()
    except SparkError:
        return None
    except TimeoutError:  # it hangs, and it was to be stopped
        killed = await asyncio.to_thread(end, endpoint, link.pid if link is not None else 0)
        return killed[0] if killed else None
    else:
        return link.pid
    finally:
        if link is not None:
            await link.close()


async def _observe(endpoint: frames.Endpoint) -> Link | None:
    try:
        async with asyncio.timeout(_ASK_S):
            return await connect(endpoint, observer=True)
    except (SparkError, TimeoutError):
        return None


def _serves(command: list[str], endpoint: frames.Endpoint) -> bool:
    try:
        return msgspec.json.decode(command[-1], type=frames.HostOrder).endpoint == endpoint
    except (IndexError, msgspec.DecodeError, UnicodeEncodeError):
        return False


def _log_or_nothing(path: Path) -> IO[bytes]:
    """Open an engine's log, or nothing where it cannot be written: an engine without a log is better than none."""
    try:
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".old.log"))
        return _opened_log(path)
    except OSError:
        return Path(os.devnull).open("wb")


def _opened_log(path: Path) -> IO[bytes]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_LINK, _OWNER_ONLY)
    return os.fdopen(descriptor, "ab")
