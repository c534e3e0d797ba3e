"""Choose which parts of llama.cpp are compiled, and with which additional flags.

Uses only the standard library, because it runs before anything is installed. Never changes this process's environment.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

KEEP_STORES = "-fno-tree-dse -fno-dse"
"""GCC's ``_tile_loadconfig`` declares 8 of the 64 bytes it reads, so GCC 12 deletes the other stores as dead, and the
processor faults on a tile configuration that is half garbage (docs/decisions/amx.md)."""

LIBRARY_ONLY = (
    "-DLLAVA_BUILD=OFF",
    f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={Path(__file__).resolve().with_name('llama_library_only.cmake').as_posix()}",
)
"""Leaves out the image models and llama.cpp's common library, which nothing here uses: 74 files instead of 178."""

_CPU_INFO = Path("/proc/cpuinfo")


def build_environment(environment: Mapping[str, str], *, cpu_info: Path = _CPU_INFO) -> dict[str, str]:
    """Return the environment for compiling llama.cpp: the given one with additional flags.

    ``CMAKE_ARGS`` leaves out unused parts, unless the user's own arguments say otherwise; ``CXXFLAGS`` is changed
    if the processor needs it.
    """
    arguments = f"{shlex.join(LIBRARY_ONLY)} {environment.get('CMAKE_ARGS', '')}".strip()
    changed = {**environment, "CMAKE_ARGS": arguments}
    compiler = environment.get("CXX") or "c++"
    if has_amx(cpu_info) and is_gcc(compiler):
        flags = environment.get("CXXFLAGS", "")
        changed["CXXFLAGS"] = flags if KEEP_STORES in flags else f"{flags} {KEEP_STORES}".strip()
    return changed


def has_amx(cpu_info: Path = _CPU_INFO) -> bool:
    """Whether the processor has Intel's AMX, which ``-march=native`` then makes llama.cpp use."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return False
    try:
        text = cpu_info.read_text("utf-8", "replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return "amx_tile" in flags.split()


def is_gcc(compiler: str) -> bool:
    """Whether a C++ compiler is GCC; clang declares everything that the instruction reads."""
    try:
        done = subprocess.run(
            [*compiler.split(" "), "--version"],
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return False
    return "Free Software Foundation" in done.stdout
