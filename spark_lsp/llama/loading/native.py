"""The native library made safe: imported with its crash helpers off, its log kept short and away from stdout.

Every other module of this package takes ``L`` from here. Never lets a Python exception reach native code.
"""

import ctypes
import logging
import os
import re
import sys
from collections import deque
from typing import Final

os.environ["GGML_NO_BACKTRACE"] = "1"  # or an abort forks gdb, whose text goes to standard output
# Threads that wait for one without a core must not burn its time: 30 times less than OpenMP's default.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# Import order matters: the variables above are read when the library loads.
import llama_cpp
import llama_cpp.llama_cpp as L  # noqa: N812

__all__ = ["KEPT_LINES", "BufferSizes", "L", "give_back", "last_errors", "library_version", "quiet"]

KEPT_LINES: Final = 20

_WARNING_LEVEL, _ERROR_LEVEL = 3, 4  # ggml.h, ggml_log_level; the binding's own table is that of older versions
_BUFFER_LINE: Final = re.compile(r"(\S+)\s+(?:model|KV|RS|compute|output)\s+buffer size\s*=\s*([0-9.]+) MiB")
_HOST_BUFFERS: Final = re.compile(r"CPU|_Host$", re.IGNORECASE)

# Said of every aborted decode, whose status is 1.
_ABORT_LINE: Final = re.compile("failed to decode|removing memory module entries|(?:compute status:|with error) 1$")

_log = logging.getLogger("spark_lsp.llama")
_errors: deque[str] = deque(maxlen=KEPT_LINES)


class BufferSizes:
    """What the library said of its buffers, in bytes; the only place where it tells a GPU's share."""

    device_bytes: int = 0

    @classmethod
    def reset(cls) -> None:
        """Forget what was said of an earlier model."""
        cls.device_bytes = 0


def _on_line(level: int, text: bytes, _data: object) -> None:
    line = text.decode("utf-8", "replace").strip()
    if not line:
        return
    match = _BUFFER_LINE.search(line)
    if match is not None and not _HOST_BUFFERS.search(match[1]):
        BufferSizes.device_bytes += int(float(match[2]) * 1024 * 1024)
    if level not in {_WARNING_LEVEL, _ERROR_LEVEL} or _ABORT_LINE.search(line):
        return
    _log.warning("llama.cpp: %s", line)
    if level == _ERROR_LEVEL:
        _errors.append(line)


_callback = L.llama_log_callback(_on_line)  # kept referenced: the library calls it for ever


def quiet() -> None:
    """Take over the library's log and start its backends. Idempotent."""
    L.llama_log_set(_callback, ctypes.c_void_p(0))
    L.llama_backend_init()


def give_back() -> None:
    """Return to the system what was freed: glibc keeps buffers of up to 32 MiB for itself from the second time on."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def library_version() -> str:
    """Name the build of the native library: the binding's version and what it was compiled for."""
    return f"{llama_cpp.__version__} {L.llama_print_system_info().decode('utf-8', 'replace')}"


def last_errors() -> list[str]:
    """Return what the library complained of lately, oldest first, and forget it."""
    kept = list(_errors)
    _errors.clear()
    return kept
