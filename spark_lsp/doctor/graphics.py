"""Checks graphics cards: what llama.cpp was built for, what it finds, and what the machine seems to have.

llama.cpp runs in a separate process, because a driver may end the process that initialises it.
"""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import msgspec

from spark_lsp.doctor.check_result import Check
from spark_lsp.engine.local.binding import how_to_install, is_installed, require_binding
from spark_lsp.errors import EngineFailed
from spark_lsp.llama.loading.build import SLOW_KERNELS, Build, Device, offload_devices

SWITCHES = {"CUDA": "-DGGML_CUDA=on", "Metal": "-DGGML_METAL=on", "Vulkan": "-DGGML_VULKAN=on"}
"""What llama.cpp is compiled with for a card, by backend (its README)."""
NO_CARDS = frozenset({"0x1af4", "0x1234", "0x15ad", "0x1b36", "0x1a03", "0x102b", "0x1414", "0x1013"})
"""PCI vendors whose displays compute nothing: virtual machines' (virtio, Bochs, VMware, QXL, Hyper-V) and servers'."""

KEEP_STORES = "-fno-tree-dse -fno-dse"
"""What keeps GCC 12 from dropping half of AMX's tile configuration; see docs/decisions/amx.md."""

_ANSWER_S = 60.0  # the first call of a driver may compile its kernels
_BINDING = "llama-cpp-python"


@dataclass(frozen=True, slots=True)
class Sign:
    """A hint that a card is there: the backend that would use it, and what gave the hint."""

    backend: Literal["CUDA", "Metal", "Vulkan"]
    seen: str


def read_build() -> Build:
    """Return what llama.cpp was built for. Blocks for about a second.

    Raises:
        EngineFailed: it is not installed, or cannot be loaded.
    """
    require_binding()
    command = [sys.executable, "-P", "-m", "spark_lsp.llama.loading.devices"]
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EngineFailed(f"llama.cpp did not report its devices within {_ANSWER_S:.0f} s.") from error
    return read_answer(done.stdout, done.stderr)


def read_answer(output: bytes, errors: bytes) -> Build:
    """Return what the process said on its last line.

    Raises:
        EngineFailed: it said nothing of use; the message ends with the last line of its errors.
    """
    lines = output.splitlines()  # a driver may have printed before
    try:
        return msgspec.json.decode(lines[-1] if lines else b"", type=Build)
    except msgspec.DecodeError as error:
        error_lines = errors.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise EngineFailed(f"llama.cpp cannot be loaded: {error_lines[-1].rstrip('.')}.") from error


def look_at_graphics() -> list[Check]:
    """Check the build of llama.cpp against the cards of the machine."""
    try:
        build = read_build()
    except EngineFailed as error:
        return [Check("build", "fail", str(error), install_command("") if is_installed() else how_to_install())]
    return report(build, card_sign())


def report(build: Build, sign: Sign | None) -> list[Check]:
    """Return what the build can use, with a fix if it cannot use a card."""
    return [_build(build, sign), *(_device(device, build) for device in build.devices)]


def card_sign(
    *,
    which: Callable[[str], str | None] = shutil.which,
    root: Path = Path("/"),
    system: str = sys.platform,
    machine: str = "",
) -> Sign | None:
    """Return a sign that the machine has a card that llama.cpp could use; None if there is none."""
    if system == "darwin":
        return Sign("Metal", "Apple silicon") if (machine or platform.machine()) == "arm64" else None
    program = which("nvidia-smi")
    if program:
        return Sign("CUDA", program)
    nvidia = sorted(root.glob("dev/nvidia[0-9]*"))
    if nvidia:
        return Sign("CUDA", f"/{nvidia[0].relative_to(root)}")
    for node in sorted(root.glob("dev/dri/renderD*")):
        vendor = root / "sys" / "class" / "drm" / node.name / "device" / "vendor"
        if _text(vendor) not in NO_CARDS:
            return Sign("Vulkan", f"/{node.relative_to(root)}")
    return None


def kernel_check(notes: Sequence[str]) -> list[Check]:
    """Return the warning that belongs to a loaded model's note about kernels that fail; none without that note."""
    if SLOW_KERNELS not in notes:
        return []
    detail = "llama.cpp was compiled with AMX kernels that fail on this processor; the model runs without them."
    return [Check("kernels", "warn", detail, f'CXXFLAGS="{KEEP_STORES}" {install_command("")}')]


def install_command(switch: str, *, system: str = os.name) -> str:
    """Return the command that compiles llama.cpp again, with or without a switch of SWITCHES."""
    try:
        wanted = f"{_BINDING}=={version(_BINDING)}"
    except PackageNotFoundError:
        wanted = _BINDING
    options = f"--force-reinstall --no-cache-dir --no-deps --no-binary={_BINDING} {wanted}"
    if system == "nt":
        setting = f'$env:CMAKE_ARGS = "{switch}"; ' if switch else ""
        return f'{setting}& "{sys.executable}" -m pip install {options}'
    setting = f'CMAKE_ARGS="{switch}" ' if switch else ""
    return f"{setting}{shlex.quote(sys.executable)} -m pip install {options}"


def _build(build: Build, sign: Sign | None) -> Check:
    cards = [name for name in build.backends if name != "CPU"]
    if not build.offloads and sign is not None:
        message = f"llama.cpp is built for the processor only, but {sign.seen} indicates a GPU for {sign.backend}."
        return Check("build", "warn", message, install_command(SWITCHES[sign.backend]))
    if build.offloads and not offload_devices(build.devices):
        message = (
            f"llama.cpp is built for {', '.join(cards) or 'a GPU'}, but found none; the model runs on the processor."
        )
        return Check("build", "warn", message, "# Check the card's driver; see docs/gpu.md.")
    return Check("build", "ok", _features(build.features) or ", ".join(build.backends))


def _features(line: str) -> str:
    """Make ``CUDA : ARCHS = 900 | CPU : AVX2 = 1 | FMA = 1`` readable."""
    words = ""
    for part in line.split(" | "):
        name, _, feature = part.rpartition(" : ")
        words += (f"; {name}: " if name else ", ") + feature.strip().removesuffix(" = 1").replace(" = ", " ")
    return words.removeprefix("; ").removeprefix(", ")


def _device(device: Device, build: Build) -> Check:
    detail = f"{device.name}: {device.description}"
    if device.kind not in {"gpu", "igpu"}:
        return Check("device", "ok", detail)
    if device.total_bytes == 0:
        message = f"{detail} does not report its memory, so the model runs on the processor."
        return Check("device", "warn", message, "# Update the card's driver; see docs/gpu.md.")
    use = "" if device in offload_devices(build.devices) else ", not used because another is"
    free, total = (size / 2**30 for size in (device.free_bytes, device.total_bytes))
    return Check("device", "ok", f"{detail}, {free:.1f} GiB free of {total:.1f} GiB{use}")


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
