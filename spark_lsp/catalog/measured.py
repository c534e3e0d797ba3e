"""Keep the measurement of this machine on disk, so that every process chooses a model by the same numbers.

The first measurement of a machine is kept; a later one counts where it is faster, because other programs can only make
a measurement slower. Losing the file costs a measurement and nothing else.
"""

import hashlib
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from spark_lsp.catalog.machine import core_count, free_disk_bytes, memory_bytes
from spark_lsp.catalog.recommend import Machine

_MEASURE_S: Final = 90.0  # waking a graphics driver for the first time can take a minute
_VERSION: Final = 1  # of the file's content


def this_machine() -> Machine | None:
    """Return the facts of this machine; the first call measures it, which takes some seconds.

    The measurement runs in a process of its own, because it loads llama.cpp to find graphics cards, whose drivers may
    end the process. None where that fails.
    """
    stored = stored_machine()
    if stored is not None:
        return stored
    command = [sys.executable, "-P", "-m", "spark_lsp", "models", "recommend", "--json"]
    try:
        subprocess.run(  # noqa: S603  our own interpreter and module
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_MEASURE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return stored_machine()


def stored_machine() -> Machine | None:
    """Return the stored measurement with today's free disk space; None where there is none for this machine."""
    try:
        machine = msgspec.json.decode(_file().read_bytes(), type=Machine)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return replace(machine, disk_bytes=free_disk_bytes())


def store_machine(machine: Machine) -> Machine:
    """Store a measurement, or the faster rates of it and of the stored one; return what is stored now."""
    known = stored_machine()
    if known is not None and (known.card, known.is_measured) == (machine.card, machine.is_measured):
        machine = replace(
            machine,
            vram_bytes=max(known.vram_bytes, machine.vram_bytes),
            operations_per_s=max(known.operations_per_s, machine.operations_per_s),
            bytes_per_s=max(known.bytes_per_s, machine.bytes_per_s),
        )
    try:
        _write(_file(), msgspec.json.encode(machine), is_first=known is None)
    except OSError:  # a folder that cannot be written: measured again the next time
        return machine
    return stored_machine() or machine


def _write(file: Path, content: bytes, *, is_first: bool) -> None:
    """Write a file whole. Where two processes measure at the same time, the first one's numbers are both's."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    fresh = Path(name)
    try:
        if is_first and hasattr(os, "link"):
            file.hardlink_to(fresh)
        else:
            fresh.replace(file)
    except FileExistsError:
        if stored_machine() is None:  # what is there cannot be read
            fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def _file() -> Path:
    """Return the file for this machine. Another host, memory, core count or build of llama.cpp has another file."""
    parts = (_VERSION, platform.node(), memory_bytes(), core_count(), _build())
    name = hashlib.blake2b(msgspec.json.encode(parts), digest_size=8).hexdigest()
    return Path(platformdirs.user_cache_dir("spark-lsp")) / "machine" / f"{name}.json"


@cache
def _build() -> str:
    """Name the build of llama.cpp without loading it: a new build may find a graphics card."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return ""
    folder = Path(spec.origin).parent
    library = folder / "lib"
    return f"{folder}:{(library if library.is_dir() else folder).stat().st_mtime_ns}"
