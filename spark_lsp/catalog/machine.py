"""Measure the machine in half a second: memory, disk, and how fast it multiplies and reads memory.

Memory is what the machine has, not what is free at the moment: which model suits a machine must not depend on which
programs are open. The engine looks at free memory when it loads a model, and so does ``doctor``.

numpy's product of matrices and a sum over a large array stand for llama.cpp's arithmetic and its walk over the weights;
``EFFICIENCY`` says what llama.cpp made of them where both were measured.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import thread_time
from typing import Final

import msgspec
import numpy as np
import psutil

from spark_lsp.catalog.folder import models_folder
from spark_lsp.catalog.recommend import GIB, Machine

EFFICIENCY: Final = 0.6
"""llama.cpp's share of the measured arithmetic with 8-bit weights on a processor, and of the measured reading."""

_CONTAINER_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_SIDE: Final = 512
_READ_BYTES: Final = 64 * 1024**2  # more than most processors' own caches
_MEASURE_S: Final = 0.3
_MIN_ROUNDS: Final = 3
_ANSWER_S: Final = 60.0
_THREAD_VARIABLES: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_CARD_OPERATIONS: Final = ((20 * GIB, 60e12), (11 * GIB, 30e12), (0, 8e12))
"""Operations a second assumed for a card by its memory; they cannot be measured without running on it."""
_CARD_BYTES_PER_S: Final = ((20 * GIB, 700e9), (11 * GIB, 400e9), (0, 200e9))


def measure(card: str = "", vram_bytes: int = 0) -> Machine:
    """Return the machine's facts; the caller names a card that llama.cpp can use. Blocks for half a second."""
    memory, disk, cores = memory_bytes(), free_disk_bytes(), core_count()
    if card:
        operations, reading = _by_size(_CARD_OPERATIONS, vram_bytes), _by_size(_CARD_BYTES_PER_S, vram_bytes)
        return Machine(memory, cores, disk, operations, reading, card, vram_bytes, is_measured=False)
    rates = _measured_rates()
    return Machine(memory, cores, disk, rates.operations_per_s * EFFICIENCY, rates.bytes_per_s * EFFICIENCY)


def memory_bytes() -> int:
    """Return the memory that this machine has, or that its container may use."""
    total: int = psutil.virtual_memory().total
    return min(total, *(_limit(path) for path in _CONTAINER_LIMITS))


def free_disk_bytes() -> int:
    """Return the free space where models are kept."""
    return shutil.disk_usage(_existing(models_folder())).free


def core_count() -> int:
    """Return the number of processor cores."""
    cores: int | None = psutil.cpu_count(logical=False)
    return cores or os.cpu_count() or 1


def _limit(path: Path) -> int:
    """Return a container's memory limit; no limit where there is none."""
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        return sys.maxsize


class Rates(msgspec.Struct, frozen=True):
    """How fast the processor multiplies and reads, all cores together."""

    operations_per_s: float
    bytes_per_s: float


def _measured_rates() -> Rates:
    """Measure in a process of its own, where numpy computes with one thread. The thread's own time counts.

    Other programs then slow the measurement little: threads that share a busy core would wait for each other.
    """
    command = [sys.executable, "-P", "-m", __name__]
    environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, "1")}
    done = subprocess.run(  # noqa: S603  our own interpreter and module
        command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=_ANSWER_S, check=True
    )
    return msgspec.json.decode(done.stdout, type=Rates)


def _own_rates() -> Rates:
    """Measure one core here; return what all of them do."""
    square = np.ones((_SIDE, _SIDE), np.float32)
    operations_per_s = 2.0 * _SIDE**3 / _least_s(lambda: square @ square)
    array = np.zeros(_READ_BYTES // 8, np.int64)
    array.fill(1)  # zeroed memory is not there before it is written
    return Rates(operations_per_s * core_count(), _READ_BYTES / _least_s(array.sum))  # the cores share the memory


def _least_s(work: Callable[[], object]) -> float:
    """Time some work again and again and return the least, which other programs disturbed least."""
    times: list[float] = []
    while sum(times) < _MEASURE_S or len(times) < _MIN_ROUNDS:
        began = thread_time()
        work()
        times.append(thread_time() - began)
    return max(min(times), 1e-9)


def _by_size(table: tuple[tuple[int, float], ...], vram_bytes: int) -> float:
    return next(rate for least, rate in table if vram_bytes >= least)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_own_rates()) + b"\n")
