"""``doctor`` on graphics cards, with simulated builds and machines; and on this machine."""

import json
import re
import shlex
import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from spark_lsp.cli import build as command_line
from spark_lsp.doctor.check_result import Check
from spark_lsp.doctor.graphics import Sign, card_sign, install_command, read_answer, read_build, report
from spark_lsp.errors import EngineFailed
from spark_lsp.llama.loading.build import Build, Device
from tests.engine.conftest import private_runtime
from tests.llama.gguf_files import SHIPPED
from tests.support.marks import needs_llama_cpp

GIB = 1024**3
CPU = Device(name="CPU", description="A processor", kind="cpu", backend="CPU", free_bytes=GIB, total_bytes=GIB)
CUDA = Device(name="CUDA0", description="A card", kind="gpu", backend="CUDA", free_bytes=6 * GIB, total_bytes=8 * GIB)
PLAIN = Build(backends=("CPU",), offloads=False, devices=(CPU,), features="CPU : AVX2 = 1")
BUILT = Build(
    backends=("CUDA", "CPU"),
    offloads=True,
    devices=(CUDA, CPU),
    features="CUDA : ARCHS = 900 | CPU : AVX2 = 1 | FMA = 1",
)


def nothing(_name: str) -> None:
    return None


def touch(root: Path, place: str, text: str = "") -> None:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "ascii")


def test_a_processor_alone_is_fine() -> None:
    assert report(PLAIN, None) == [
        Check("build", "ok", "CPU: AVX2"),
        Check("device", "ok", "CPU: A processor"),
    ]
    silent = msgspec.structs.replace(PLAIN, features="", backends=("BLAS", "CPU"))
    assert report(silent, None)[0].detail == "BLAS, CPU"


@pytest.mark.parametrize(
    ("sign", "switch"),
    [
        (Sign("CUDA", "/usr/bin/nvidia-smi"), "-DGGML_CUDA=on"),
        (Sign("Metal", "Apple silicon"), "-DGGML_METAL=on"),
        (Sign("Vulkan", "/dev/dri/renderD128"), "-DGGML_VULKAN=on"),
    ],
)
def test_a_card_that_the_build_cannot_use_is_told_with_the_command(sign: Sign, switch: str) -> None:
    check = report(PLAIN, sign)[0]
    assert check.status == "warn"
    assert sign.seen in check.detail
    assert sign.backend in check.detail
    assert f'CMAKE_ARGS="{switch}" ' in check.fix
    assert " -m pip install " in check.fix


def test_cards_are_shown_with_their_memory() -> None:
    checks = report(BUILT, Sign("CUDA", "nvidia-smi"))
    assert [check.status for check in checks] == ["ok", "ok", "ok"]
    assert checks[0].detail == "CUDA: ARCHS 900; CPU: AVX2, FMA"
    assert checks[1].detail == "CUDA0: A card, 6.0 GiB free of 8.0 GiB"


def test_a_card_that_is_left_aside_is_told() -> None:
    integrated = msgspec.structs.replace(CUDA, name="Vulkan0", kind="igpu", backend="Vulkan")
    checks = report(msgspec.structs.replace(BUILT, devices=(CUDA, integrated, CPU)), None)
    assert checks[2].detail.endswith("not used because another is")


def test_a_build_that_finds_no_card_is_told() -> None:
    check = report(msgspec.structs.replace(BUILT, devices=(CPU,)), None)[0]
    assert check.status == "warn"
    assert check.detail == "llama.cpp is built for CUDA, but found none; the model runs on the processor."
    assert Path(__file__).parents[2].joinpath("docs", "gpu.md").is_file()


def test_a_card_that_hides_its_memory_is_told() -> None:
    silent = msgspec.structs.replace(CUDA, free_bytes=0, total_bytes=0)
    check = report(msgspec.structs.replace(BUILT, devices=(silent, CPU)), None)[1]
    assert check.status == "warn"
    assert "does not report its memory" in check.detail


def test_signs_of_cards(tmp_path: Path) -> None:
    assert card_sign(which=nothing, root=tmp_path, system="linux") is None
    touch(tmp_path, "dev/dri/renderD128")
    touch(tmp_path, "sys/class/drm/renderD128/device/vendor", "0x1af4\n")
    assert card_sign(which=nothing, root=tmp_path, system="linux") is None, "a virtual machine's display"
    touch(tmp_path, "dev/dri/renderD129")
    assert card_sign(which=nothing, root=tmp_path, system="linux") == Sign("Vulkan", "/dev/dri/renderD129")
    touch(tmp_path, "dev/nvidiactl")
    touch(tmp_path, "dev/nvidia0")
    assert card_sign(which=nothing, root=tmp_path, system="linux") == Sign("CUDA", "/dev/nvidia0")
    sign = card_sign(which=lambda name: f"/bin/{name}", root=tmp_path, system="linux")
    assert sign == Sign("CUDA", "/bin/nvidia-smi")
    assert card_sign(which=nothing, root=tmp_path, system="darwin", machine="x86_64") is None
    assert card_sign(which=nothing, root=tmp_path, system="darwin", machine="arm64") == Sign("Metal", "Apple silicon")


@needs_llama_cpp
def test_the_command_installs_what_is_installed_with_this_python() -> None:
    words = shlex.split(install_command("-DGGML_CUDA=on", system="posix"))
    assert words[:2] == ["CMAKE_ARGS=-DGGML_CUDA=on", sys.executable]
    assert re.fullmatch(r"llama-cpp-python==[\d.]+", words[-1])
    assert "CMAKE_ARGS" not in install_command("", system="posix")
    assert install_command("-DX", system="nt").startswith('$env:CMAKE_ARGS = "-DX"; & "')


def test_a_library_that_does_not_answer_is_an_error_with_its_last_word() -> None:
    assert read_answer(b"a driver says hello\n" + msgspec.json.encode(BUILT) + b"\n", b"") == BUILT
    for output in (b"", b"CUDA error\n", b"{}\n"):
        with pytest.raises(EngineFailed, match=r"^llama\.cpp cannot be loaded: no such library\.$"):
            read_answer(output, b"Traceback\nno such library.\n")
    with pytest.raises(EngineFailed, match="no reason given"):
        read_answer(b"", b"")


@pytest.mark.model
def test_this_build_is_read() -> None:
    build = read_build()
    assert build.backends[-1] == "CPU"
    assert [device.kind for device in build.devices].count("cpu") == 1


@pytest.mark.model
def test_doctor_shows_build_and_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    with private_runtime(monkeypatch):
        result = CliRunner().invoke(command_line(["doctor"]), ["doctor", "--model", str(SHIPPED), "--json"])
    checks = json.loads(result.stdout)["checks"]
    names = [check["name"] for check in checks]
    assert names.index("llama.cpp") < names.index("build") < names.index("device") < names.index("command")
    assert all(check["fix"] for check in checks if check["status"] != "ok")
