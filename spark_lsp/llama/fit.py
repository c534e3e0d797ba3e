"""How large a context this machine can hold, and why: pure arithmetic over what the model and the machine say.

Every reduction becomes a plain sentence for the user. Never allocates and never calls the native library.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from spark_lsp.errors import ModelUnusable

SMALLEST_CONTEXT: Final = 2_048
"""Below this a completion shows the model too little to be worth its memory."""

CPU_CONTEXT: Final = 32_768
"""Without a GPU attention over more costs seconds for each token (design/engine.md section 7)."""

_CELL_STEP: Final = 256  # llama.cpp rounds contexts up to this
_SYSTEM_RESERVE_BYTES: Final = 256 * 1024 * 1024  # left to the editor and everything else
_WORK_BYTES: Final = 32 * 1024 * 1024  # compute buffers at our batch sizes (measured 19-40 MiB at 152k tokens)
_CGROUP_FILES: Final = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for, and what is known before the context is made."""

    asked_tokens: int
    trained_tokens: int
    """0 where the model does not say."""
    on_gpu: bool
    weights_bytes: int
    kv_bytes_per_token: float
    memory_limit_bytes: int
    """0 for none."""
    available_bytes: int


@dataclass(frozen=True, slots=True)
class Fit:
    """A context size and the sentences that say why it is smaller than asked for."""

    context_tokens: int
    notes: tuple[str, ...]


def fit_context(wanted: Wanted) -> Fit:
    """Return the largest context that was asked for, that the model knows, and that memory holds.

    Raises:
        ModelUnusable: memory does not even hold the smallest context.
    """
    tokens = max(wanted.asked_tokens, SMALLEST_CONTEXT)
    notes: list[str] = []
    if 0 < wanted.trained_tokens < tokens:
        tokens = wanted.trained_tokens
        notes.append(f"The context is {tokens:,} tokens because the model was trained for no more.")
    if not wanted.on_gpu and tokens > CPU_CONTEXT:
        tokens = CPU_CONTEXT
        notes.append(f"The context is {tokens:,} tokens because the model runs on the processor, without a GPU.")
    room = _room_tokens(wanted)
    if room < tokens:
        if room < min(SMALLEST_CONTEXT, tokens):
            raise ModelUnusable(_too_small(wanted), fix="Close other programs or choose a smaller model.")
        tokens = room
        why = "engine.memoryLimitBytes allows" if _limited(wanted) else "free memory holds"
        notes.append(f"The context is {tokens:,} tokens because {why} no more.")
    return Fit(tokens, tuple(notes))


def halved(tokens: int) -> int:
    """Return the next smaller context to try; 0 when there is none."""
    smaller = _stepped(tokens // 2)
    if smaller >= SMALLEST_CONTEXT:
        return smaller
    return SMALLEST_CONTEXT if tokens > SMALLEST_CONTEXT else 0


def available_bytes() -> int:
    """Return the memory that can be used without swapping, inside the limits of a container."""
    free = int(psutil.virtual_memory().available)
    for limit_file, usage_file in _CGROUP_FILES:
        try:
            limit = Path(limit_file).read_text(encoding="ascii").strip()
            usage = Path(usage_file).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if limit.isdecimal() and usage.isdecimal():
            free = min(free, max(0, int(limit) - int(usage)))
    return free


def compute_threads(asked: int) -> int:
    """Return how many threads compute: all real cores, less one for the editor when there are more than two."""
    if asked > 0:
        return asked
    logical = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 0
    logical = logical or psutil.cpu_count() or 1
    cores = min(psutil.cpu_count(logical=False) or logical, logical)
    return cores - 1 if cores > 2 else cores


def _limited(wanted: Wanted) -> bool:
    """Whether the user's limit binds before the machine's memory does."""
    limit = wanted.memory_limit_bytes
    return 0 < limit < wanted.available_bytes - _SYSTEM_RESERVE_BYTES


def _budget_bytes(wanted: Wanted) -> int:
    if _limited(wanted):
        return wanted.memory_limit_bytes
    return wanted.available_bytes - _SYSTEM_RESERVE_BYTES


def _room_tokens(wanted: Wanted) -> int:
    """Cells that fit beside the weights. On a GPU the cache is not in this memory; the library then says no itself."""
    if wanted.on_gpu or wanted.kv_bytes_per_token <= 0:
        return max(wanted.asked_tokens, SMALLEST_CONTEXT)
    left = _budget_bytes(wanted) - wanted.weights_bytes - _WORK_BYTES
    return _stepped(max(0, int(left / wanted.kv_bytes_per_token)))


def _stepped(tokens: int) -> int:
    return tokens - tokens % _CELL_STEP


def _too_small(wanted: Wanted) -> str:
    least = wanted.weights_bytes + _WORK_BYTES + int(SMALLEST_CONTEXT * wanted.kv_bytes_per_token)
    have = max(0, _budget_bytes(wanted))
    allowed = "are allowed by engine.memoryLimitBytes" if _limited(wanted) else "are free"
    return (
        f"There is not enough memory for the model: it needs at least {_mib(least):,} MiB, "
        f"and {_mib(have):,} MiB {allowed}."
    )


def _mib(size: int) -> int:
    return -(-size // (1024 * 1024))
