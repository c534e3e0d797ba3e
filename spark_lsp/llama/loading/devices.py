"""What llama.cpp was built for and what it finds to compute on: processor and graphics cards with their memory.

Asks ggml's own registry, so what is shown here is what a model would run on. Never loads a model.
Run as a program it prints all that as JSON: drivers may end the process that wakes them, so others ask from outside.
"""

import ctypes
import logging
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from spark_lsp.llama.loading.build import Build, Device, DeviceKind, backend_names
from spark_lsp.llama.loading.native import L, quiet

_KINDS: Final[tuple[DeviceKind, ...]] = ("cpu", "gpu", "igpu", "accelerator")  # ggml-backend.h, ggml_backend_dev_type

_log = logging.getLogger("spark_lsp.llama")


def list_devices() -> tuple[Device, ...]:
    """Return the devices of ggml's registry, in its order. Wakes the drivers."""
    quiet()
    try:
        registry = _Registry()
    except AttributeError as error:  # another version of the library; without its devices the processor computes
        _log.warning("llama.cpp does not tell its devices: %s", error)
        return ()
    return tuple(registry.device(number) for number in range(registry.count()))


def describe_build() -> Build:
    """Return what this llama.cpp was built for. Wakes the drivers."""
    devices = list_devices()
    features = (L.llama_print_system_info() or b"").decode("utf-8", "replace").strip(" |")
    return Build(
        backends=backend_names(features, devices),
        offloads=bool(L.llama_supports_gpu_offload()),
        devices=devices,
        features=features,
    )


class _Registry:
    """ggml's device functions, which the Python binding does not declare."""

    def __init__(self) -> None:
        from llama_cpp import _ctypes_extensions, _ggml  # noqa: PLC0415  after native has set the environment

        self._libraries: list[Any] = [_ggml.libggml]
        if sys.platform == "win32":  # there a library does not answer for those that it needs itself
            self._libraries.append(_ctypes_extensions.load_shared_library("ggml-base", Path(_ggml.libggml_base_path)))
        pointer, size = ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)
        self.count = self._function("ggml_backend_dev_count", ctypes.c_size_t)
        self._get = self._function("ggml_backend_dev_get", pointer, ctypes.c_size_t)
        self._name = self._function("ggml_backend_dev_name", ctypes.c_char_p, pointer)
        self._description = self._function("ggml_backend_dev_description", ctypes.c_char_p, pointer)
        self._kind = self._function("ggml_backend_dev_type", ctypes.c_int, pointer)
        self._memory = self._function("ggml_backend_dev_memory", None, pointer, size, size)
        self._driver = self._function("ggml_backend_dev_backend_reg", pointer, pointer)
        self._driver_name = self._function("ggml_backend_reg_name", ctypes.c_char_p, pointer)

    def device(self, number: int) -> Device:
        """Ask for one device."""
        handle = self._get(number)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._memory(handle, ctypes.byref(free), ctypes.byref(total))
        kind = self._kind(handle)
        return Device(
            name=_text(self._name(handle)),
            description=_text(self._description(handle)),
            kind=_KINDS[kind] if 0 <= kind < len(_KINDS) else "other",
            backend=_text(self._driver_name(self._driver(handle))),
            free_bytes=free.value,
            total_bytes=total.value,
        )

    def _function(self, name: str, result: Any, *arguments: Any) -> Any:
        library = next((library for library in self._libraries if hasattr(library, name)), self._libraries[0])
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
        return function


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace").strip()


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(describe_build()) + b"\n")
