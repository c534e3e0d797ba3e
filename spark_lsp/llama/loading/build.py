"""What a build of llama.cpp can compute on, as values: readable without loading it, and sent between processes.

``devices`` fills them in. Never imports llama_cpp.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

DeviceKind = Literal["cpu", "gpu", "igpu", "accelerator", "other"]

SLOW_KERNELS: Final = (
    "This build of llama.cpp fails with its fast matrix kernels, so the model runs without them, up to three times "
    "slower. `spark-lsp doctor` prints the command that rebuilds it."
)
"""What a user is told while ``compute_check`` keeps the kernels off."""

_REMOTE: Final = "RPC"  # a GPU of another machine: nothing leaves this one
_APPLE: Final = ("MTL", "Metal")
_PART: Final = re.compile(r"(\w+) : ")
_PLAIN_NAMES: Final = {"MTL": "Metal"}


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One device of ggml's registry. BaselineSizes in bytes; 0 where the driver does not say."""

    name: str
    description: str
    kind: DeviceKind
    backend: str
    """Who drives it: CPU, CUDA, MTL, Vulkan, ROCm, SYCL."""
    free_bytes: int
    total_bytes: int

    @property
    def is_shared(self) -> bool:
        """Whether its memory is the machine's own."""
        return self.kind == "igpu" or self.backend.startswith(_APPLE)


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """What llama.cpp was built for, and what it finds."""

    backends: tuple[str, ...]
    """Such as CPU and CUDA; the processor's comes last."""
    offloads: bool
    """Whether a GPU can take layers."""
    devices: tuple[Device, ...]
    features: str = ""
    """The library's own line about itself."""


def backend_names(features: str, devices: Sequence[Device]) -> tuple[str, ...]:
    """Return the backends that the library's line and its devices name, GPUs first."""
    # The line reads "CUDA : ARCHS = 900 | CPU : SSE3 = 1 | ...": a name, and its features until the next name.
    named = [*_PART.findall(features), *(device.backend for device in devices)]
    plain = dict.fromkeys(_PLAIN_NAMES.get(name, name) for name in named if name)
    return tuple(sorted(plain, key=lambda name: name == "CPU"))


def offload_devices(devices: Sequence[Device]) -> tuple[Device, ...]:
    """Return the devices that llama.cpp gives layers to: graphics cards, else integrated ones; of one backend only.

    A card that two backends see is used once by llama.cpp; counting the first backend's alone never counts it twice.
    """
    cards = [device for device in devices if device.kind == "gpu" and device.backend != _REMOTE]
    chosen = cards or [device for device in devices if device.kind == "igpu"]
    return tuple(device for device in chosen if device.backend == chosen[0].backend)
