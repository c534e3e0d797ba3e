"""The check of llama.cpp's fast kernels: asked once for each build, believed when it fails, off by a variable."""

import json
import subprocess
from pathlib import Path

import pytest

from spark_lsp.doctor.graphics import kernel_check
from spark_lsp.llama.compute_check import MIN_AGREEMENT, agreement
from spark_lsp.llama.loading import kernel_check as kept
from spark_lsp.llama.loading.build import SLOW_KERNELS
from spark_lsp.llama.loading.kernel_check import EXTRA_BUFFERS_VARIABLE, fast_kernels_work, results_path
from tests.llama.gguf_files import SHIPPED


class Checks:
    """Stands for the process that computes; counts how often it is started."""

    def __init__(self, returncode: int) -> None:
        self.returncode = returncode
        self.started = 0

    def __call__(self, command: list[str], **_options: object) -> subprocess.CompletedProcess[bytes]:
        assert command[-2:] == ["compute-check", "model.gguf"]
        self.started += 1
        return subprocess.CompletedProcess(command, self.returncode)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(EXTRA_BUFFERS_VARIABLE, raising=False)


def checks(monkeypatch: pytest.MonkeyPatch, returncode: int, features: str = "CPU : AMX_INT8 = 1 | ") -> Checks:
    all_checks = Checks(returncode)
    monkeypatch.setattr(kept, "library_version", lambda: features)
    monkeypatch.setattr(kept.subprocess, "run", all_checks)
    return all_checks


@pytest.mark.parametrize(("returncode", "works"), [(0, True), (1, False), (-11, False)])
def test_a_build_is_checked_once(monkeypatch: pytest.MonkeyPatch, returncode: int, *, works: bool) -> None:
    started = checks(monkeypatch, returncode)
    assert [fast_kernels_work("model.gguf") for _ in range(3)] == [works] * 3
    assert started.started == 1
    assert list(json.loads(results_path().read_text("utf-8")).values()) == [works]


def test_a_check_that_a_busy_machine_cannot_finish_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    checks(monkeypatch, 0)

    def slow(command: list[str], **_options: object) -> None:
        raise subprocess.TimeoutExpired(command, 120)

    monkeypatch.setattr(kept.subprocess, "run", slow)
    assert fast_kernels_work("model.gguf")
    assert not results_path().exists()


def test_another_build_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    checks(monkeypatch, -11)
    assert not fast_kernels_work("model.gguf")
    started = checks(monkeypatch, 0, "newer CPU : AMX_INT8 = 1 | ")
    assert fast_kernels_work("model.gguf")
    assert started.started == 1
    assert len(json.loads(results_path().read_text("utf-8"))) == 2


def test_a_build_without_amx_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    started = checks(monkeypatch, -11, "CPU : AVX512 = 1 | ")
    assert fast_kernels_work("model.gguf")
    assert not started.started


@pytest.mark.parametrize(("value", "works"), [("0", False), ("1", True)])
def test_the_variable_decides_alone(monkeypatch: pytest.MonkeyPatch, value: str, *, works: bool) -> None:
    started = checks(monkeypatch, 0)
    monkeypatch.setenv(EXTRA_BUFFERS_VARIABLE, value)
    assert fast_kernels_work("model.gguf") is works
    assert not started.started


@pytest.mark.parametrize("content", [b"", b"[]", b'{"key": 3}', b"\xff", b"[" * 100_000])
def test_a_damaged_file_of_results_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    results_path().parent.mkdir(parents=True)
    results_path().write_bytes(content)
    started = checks(monkeypatch, 0)
    assert fast_kernels_work("model.gguf")
    assert started.started == 1


def test_the_doctor_names_the_rebuild() -> None:
    (check,) = kernel_check(["something else", SLOW_KERNELS])
    assert check.status == "warn"
    assert check.fix.startswith('CXXFLAGS="-fno-tree-dse -fno-dse" ')
    assert kernel_check(["something else"]) == []


@pytest.mark.model
def test_this_build_computes_the_same_with_its_fast_kernels() -> None:
    assert agreement(str(SHIPPED)) >= MIN_AGREEMENT
