"""The devices that llama.cpp finds, and which of them get layers."""

import subprocess
import sys

import msgspec
import pytest

from spark_lsp.llama.loading.build import Build, Device, DeviceKind, backend_names, offload_devices
from spark_lsp.llama.loading.devices import describe_build, list_devices

GIB = 1024**3


def device(name: str, kind: DeviceKind, backend: str) -> Device:
    return Device(name=name, description="x", kind=kind, backend=backend, free_bytes=GIB, total_bytes=2 * GIB)


CPU = device("CPU", "cpu", "CPU")
BLAS = device("BLAS", "accelerator", "BLAS")
CUDA0, CUDA1 = device("CUDA0", "gpu", "CUDA"), device("CUDA1", "gpu", "CUDA")
VULKAN0 = device("Vulkan0", "gpu", "Vulkan")
INTEGRATED, TWICE = device("Vulkan1", "igpu", "Vulkan"), device("SYCL0", "igpu", "SYCL")
METAL = device("MTL0", "gpu", "MTL")
FAR = device("RPC0", "gpu", "RPC")


@pytest.mark.parametrize(
    ("listed", "used"),
    [
        ((CPU,), ()),
        ((CPU, BLAS), ()),
        ((CUDA0, CUDA1, CPU), (CUDA0, CUDA1)),
        ((CUDA0, VULKAN0, CPU), (CUDA0,)),
        ((INTEGRATED, CUDA0, CPU), (CUDA0,)),
        ((INTEGRATED, TWICE, CPU), (INTEGRATED,)),
        ((METAL, BLAS, CPU), (METAL,)),
        ((FAR, CPU), ()),
    ],
)
def test_layers_go_to_cards_of_one_backend_then_to_integrated_ones(
    listed: tuple[Device, ...], used: tuple[Device, ...]
) -> None:
    assert offload_devices(listed) == used


def test_memory_that_is_the_machines_own_is_known() -> None:
    assert [known.is_shared for known in (INTEGRATED, METAL, CUDA0)] == [True, True, False]


@pytest.mark.parametrize(
    ("features", "devices", "names"),
    [
        ("CPU : SSE3 = 1 | AVX = 1", (CPU,), ("CPU",)),
        ("CUDA : ARCHS = 900 | USE_GRAPHS = 1 | CPU : SSE3 = 1", (CUDA0, CPU), ("CUDA", "CPU")),
        ("MTL : EMBED_LIBRARY = 1 | CPU : NEON = 1", (METAL, BLAS, CPU), ("Metal", "BLAS", "CPU")),
        ("", (VULKAN0,), ("Vulkan",)),
        ("", (), ()),
    ],
)
def test_backends_are_named_gpus_first(features: str, devices: tuple[Device, ...], names: tuple[str, ...]) -> None:
    assert backend_names(features, devices) == names


@pytest.mark.model
def test_this_machine_has_a_processor() -> None:
    processor = next(listed for listed in list_devices() if listed.kind == "cpu")
    assert processor.backend == "CPU"
    assert 0 < processor.free_bytes <= processor.total_bytes
    build = describe_build()
    assert build.backends[-1] == "CPU"
    assert build.offloads == bool(offload_devices(build.devices)) or build.offloads
    assert "CPU : " in build.features


@pytest.mark.model
def test_the_program_prints_one_line_of_json() -> None:
    command = [sys.executable, "-m", "spark_lsp.llama.loading.devices"]
    done = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.stdout.count(b"\n") == 1
    assert msgspec.json.decode(done.stdout, type=Build).devices


def test_a_build_can_be_read_without_loading_llama_cpp() -> None:
    code = "import sys, spark_lsp.llama.loading.build; sys.exit('llama_cpp' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
