"""Measures the machine in half a second: memory, disk, and how fast it multiplies and reads.

numpy's product of matrices and a sum over a large array stand for llama.cpp's arithmetic and its walk over the weights;
``EFFICIENCY`` says what llama.cpp made of them where both were measured.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np
import psutil

from spark_lsp.catalog.folder import models_folder
from spark_lsp.catalog.recommend import GIB, Machine

EFFICIENCY: Final = 0.6
"""llama.cpp's share of the measured arithmetic with 8-bit weights on a processor, and of the measured reading."""

_SIDE: Final = 512
_READ_BYTES: Final = 64 * 1024**2  # more than most processors' own caches
_MEASURE_S: Final = 0.3
_CARD_OPERATIONS: Final = ((20 * GIB, 60e12), (11 * GIB, 30e12), (0, 8e12))
"""Assumed for a card by its memory (design/engine.md, section 7): what cannot be measured without running on it."""
_CARD_BYTES_PER_S: Final = ((20 * GIB, 700e9), (11 * GIB, 400e9), (0, 200e9))


def measure(card: str = "", vram_bytes: int = 0) -> Machine:
    """Return what this machine has; a card that llama.cpp can use is told by the caller. Blocks for half a second."""
    folder = _existing(models_folder())
    memory, disk = psutil.virtual_memory().available, shutil.disk_usage(folder).free
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if card:
        operations, reading = _by_size(_CARD_OPERATIONS, vram_bytes), _by_size(_CARD_BYTES_PER_S, vram_bytes)
        return Machine(memory, cores, disk, operations, reading, card, vram_bytes, is_measured=False)
    return Machine(memory, cores, disk, _operations_per_s() * EFFICIENCY, _bytes_per_s() * EFFICIENCY)


def _operations_per_s() -> float:
    square = np.ones((_SIDE, _SIDE), np.float32)
    return 2.0 * _SIDE**3 / _least_s(lambda: square @ square)


def _bytes_per_s() -> float:
    array = np.zeros(_READ_BYTES // 8, np.int64)
    array.fill(1)  # zeroed memory is not there before it is written
    return _READ_BYTES / _least_s(array.sum)


def _least_s(work: Callable[[], object]) -> float:
    """Time some work again and again and return the least, which other programs disturbed least."""
    times: list[float] = []
    while sum(times) < _MEASURE_S:
        began = perf_counter()
        work()
        times.append(perf_counter() - began)
    return min(times)


def _by_size(table: tuple[tuple[int, float], ...], vram_bytes: int) -> float:
    return next(rate for least, rate in table if vram_bytes >= least)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())
