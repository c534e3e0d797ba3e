"""How much memory there is, and how much a context takes of it: what ``fit`` plans with. Looks, never allocates.

Every number is in bytes; a cell is the place of one token in the cache.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import psutil

from spark_lsp.engine.wire.frames import KvType
from spark_lsp.llama.loading.gguf_model import KV_BYTES

CacheType = Literal["f16", "q8_0", "q4_0"]

CPU_UBATCH_TOKENS: Final = 256
"""Measured on two cores with the shipped model: 7,680 tokens in 4.4 s at 64, 3.0 at 128, 2.5 at 256, 3.4 at 512.

An abort waits for one graph node of one micro-batch (``docs/internals/engine-measurements.md``); at high positions
smaller batches are given to the library at once (``rates.chunk_tokens``).
"""
GPU_UBATCH_TOKENS: Final = 512
PLAIN_UBATCH_TOKENS: Final = 128
"""Of plain attention, whose speed does not hang on it: 8,192 tokens take 3.96, 3.95, 3.98, 4.09 s at 64, 128, 256, 512
with the shipped model and one thread. Its scores need memory in proportion.
"""
MAX_SCORES_BYTES: Final = 512 * 1024**2
"""Plain attention is given up for longer contexts: its scores would take more than many models weigh."""

GPU_MARGIN_BYTES: Final = 1024**3
"""Left free on each GPU for the screen and the driver."""

FREE: Final = "free memory holds"
ALLOWED: Final = "engine.memoryLimitBytes allows"
ON_THE_GPU: Final = "the GPU's free memory holds"

CELL_STEP: Final = 256
"""llama.cpp rounds contexts up to this."""
OUTPUT_ROWS: Final = 64
"""Most rows of logits that room is kept for."""

_STATES: Final = 18
"""Recurrent states that memory is planned for: ten sequences' and the fewest checkpoints that are kept (``kv``)."""
_SYSTEM_RESERVE_BYTES: Final = 256 * 1024**2  # left to the editor and everything else
_WORK_BYTES: Final = 32 * 1024**2  # compute buffers at our batch sizes (measured 19-40 MiB at 152k tokens)
_MASK_BYTES: Final = 2  # for each cell and row of a micro-batch (measured: 16 MiB at 131,072 x 64)
_ENDLESS: Final = 1 << 40  # cells, where they cost nothing
_CGROUP_FILES: Final = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What a model weighs and knows, from its metadata."""

    weights_bytes: int
    layers: int
    """0 where the model does not say; it is then on the GPU whole or not at all."""
    kv_values_per_token: int
    head_values: int
    """Length of a key's head; 0 where the model does not say."""
    vocabulary_size: int
    trained_tokens: int
    """0 where the model does not say."""
    architecture: str
    is_scaled: bool
    """Whether the model's own metadata already stretches its positions."""
    heads: int = 0
    """Of queries; 0 where the model does not say."""
    state_bytes: int = 0
    """Recurrent state of one sequence; 0 for a model of attention layers only."""


@dataclass(frozen=True, slots=True)
class FreeMemory:
    """Memory that is free before the model is loaded."""

    ram_bytes: int
    gpu_bytes: int = 0
    """Free on the GPUs that llama.cpp will use, margins taken off; 0 without a GPU."""
    has_gpu: bool = False
    is_shared: bool = False
    """Whether the GPU's memory is the machine's own, as on Apple silicon."""
    gpu_work_bytes: int = 0
    """The GPU's compute buffer as a memory estimate told it; 0 where it must be guessed."""


@dataclass(frozen=True, slots=True)
class Requested:
    """What the settings ask for. ``prompt_tokens`` is the budget of one prompt with its answer."""

    prompt_tokens: int
    gpu_layers: int = -1
    """-1 means all that fit, 0 none."""
    kv_type: KvType = "auto"
    memory_limit_bytes: int = 0
    """Most memory for weights and context; 0 means what the machine has."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a context takes of one memory: some whatever its size, and more for each cell."""

    fixed: float
    per_cell: float

    def at(self, cells: int) -> float:
        """Return the bytes for so many cells."""
        return self.fixed + self.per_cell * cells

    def plus(self, need: "Need") -> "Need":
        """Return what both need together."""
        return Need(self.fixed + need.fixed, self.per_cell + need.per_cell)


@dataclass(frozen=True, slots=True)
class Limit:
    """A memory that bounds the context, and the words that name it."""

    budget: int
    need: Need
    why: str

    @property
    def cells(self) -> int:
        """How many cells it holds."""
        left = self.budget - self.need.fixed
        if left < 0:
            return 0
        return stepped(int(left / self.need.per_cell)) if self.need.per_cell > 0 else _ENDLESS


def needs(shape: ModelShape, free: FreeMemory, gpu_layers: int, kv_type: CacheType) -> tuple[Need, Need]:
    """Return what is needed of the GPU's memory and of the machine's."""
    share = gpu_layers / max(shape.layers, 1)
    kv = shape.kv_values_per_token * KV_BYTES[kv_type]
    # Logits are kept twice: in the compute buffer, and in the one that they are read from.
    fixed = _WORK_BYTES + 2 * 4 * OUTPUT_ROWS * shape.vocabulary_size
    work = Need(fixed, _MASK_BYTES * (GPU_UBATCH_TOKENS if gpu_layers else CPU_UBATCH_TOKENS))
    gpu_work = Need(free.gpu_work_bytes, 0) if free.gpu_work_bytes else work
    gpu = Need(shape.weights_bytes * share, kv * share).plus(gpu_work) if gpu_layers else Need(0, 0)
    states = shape.state_bytes * _STATES  # the sequences' are beside the layers, checkpoints in the machine's memory
    return gpu, Need(shape.weights_bytes * (1 - share) + states, kv * (1 - share)).plus(work)


def scores_bytes(shape: ModelShape, cells: int) -> int:
    """Return what plain attention keeps at once: one number for each head, cell and row of a micro-batch."""
    return 4 * shape.heads * cells * PLAIN_UBATCH_TOKENS


def limits(shape: ModelShape, free: FreeMemory, asked: Requested, gpu_layers: int, kv_type: CacheType) -> list[Limit]:
    """Return every memory that bounds a context, with what the context needs of it."""
    gpu, ram = needs(shape, free, gpu_layers, kv_type)
    limits = [Limit(free.ram_bytes - _SYSTEM_RESERVE_BYTES, gpu.plus(ram) if free.is_shared else ram, FREE)]
    if gpu_layers:
        limits.append(Limit(free.gpu_bytes, gpu, ON_THE_GPU))
    if asked.memory_limit_bytes > 0:
        limits.append(Limit(asked.memory_limit_bytes, gpu.plus(ram), ALLOWED))
    return limits


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


def stepped(cells: int) -> int:
    """Round down to llama.cpp's step."""
    return cells - cells % CELL_STEP
