"""The flags that llama.cpp is compiled with: added where a processor has AMX and the compiler is GCC, nowhere else."""

import platform
import shlex
import shutil
import stat
from pathlib import Path

import pytest

from scripts.compiler_flags import KEEP_STORES, build_environment, has_amx, is_gcc
from spark_lsp.doctor import graphics

AMX = "processor\t: 0\nflags\t\t: fpu sse2 avx512f amx_bf16 amx_tile amx_int8\n"
NO_AMX = "processor\t: 0\nflags\t\t: fpu sse2 avx512f\n"
GCC = "g++ (Debian 12.2.0-14) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc."
CLANG = "clang version 18.1.0"


@pytest.fixture(autouse=True)
def intel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def compiler(folder: Path, version: str) -> str:
    path = folder / "cxx"
    path.write_text(f"#!{shutil.which('sh')}\ncat <<'END'\n{version}\nEND\n", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def environment(tmp_path: Path, info: str, version: str, **more: str) -> dict[str, str]:
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text(info, "utf-8")
    return build_environment({"CXX": compiler(tmp_path, version), **more}, cpu_info=cpu_info)


def test_gcc_on_a_processor_with_amx_keeps_all_stores(tmp_path: Path) -> None:
    assert environment(tmp_path, AMX, GCC)["CXXFLAGS"] == KEEP_STORES


def test_own_flags_stay_and_are_added_to_once(tmp_path: Path) -> None:
    once = environment(tmp_path, AMX, GCC, CXXFLAGS="-O2")
    assert once["CXXFLAGS"] == f"-O2 {KEEP_STORES}"
    assert environment(tmp_path, AMX, GCC, CXXFLAGS=once["CXXFLAGS"])["CXXFLAGS"] == once["CXXFLAGS"]


@pytest.mark.parametrize(("info", "version"), [(NO_AMX, GCC), (AMX, CLANG), ("", GCC)])
def test_nothing_is_added_elsewhere(tmp_path: Path, info: str, version: str) -> None:
    assert "CXXFLAGS" not in environment(tmp_path, info, version)


def test_only_the_library_is_compiled_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    own = environment(tmp_path, NO_AMX, GCC, CMAKE_ARGS="-DLLAVA_BUILD=ON")["CMAKE_ARGS"]
    first, included, last = shlex.split(own)
    assert (first, last) == ("-DLLAVA_BUILD=OFF", "-DLLAVA_BUILD=ON"), "CMake takes the last one"
    name, _, path = included.partition("=")
    assert name == "-DCMAKE_PROJECT_llama.cpp_INCLUDE"
    assert "set(LLAMA_BUILD_COMMON OFF)" in Path(path).read_text("utf-8")


def test_another_architecture_has_no_amx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(AMX, "utf-8")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert not has_amx(tmp_path / "cpuinfo")
    assert not has_amx(tmp_path / "missing")


def test_a_compiler_that_is_not_there_is_not_gcc(tmp_path: Path) -> None:
    assert not is_gcc(str(tmp_path / "missing"))


def test_the_doctor_prints_the_same_flags() -> None:
    assert graphics.KEEP_STORES == KEEP_STORES
