"""Build llama.cpp's own server from the source that the installed llama-cpp-python brings along.

The version and the compiler flags are those of the library that our engine uses, so that only the surrounding programs
differ. Everything is in one folder of the user's cache and can be deleted; nothing is committed.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Final

import platformdirs

from scripts.compiler_flags import build_environment

LIBRARY: Final = "llama-cpp-python"
PROGRAM: Final = "llama-server"
NO_COMPILER: Final = "There is no C++ compiler and no finished llama.cpp server here, so only Spark LSP is measured."
_INNER: Final = ("vendor", "llama.cpp")  # where llama.cpp is in the archive's one folder
_COMPILERS: Final = ("c++", "g++", "clang++", "cl")

_OPTIONS: Final = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_UI=OFF",  # its web interface would be fetched from the network
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
)

Say = Callable[[str], None]


class BuildFailed(Exception):
    """A step of the build ended with an error; the message names the step and the file with its output."""


def default_folder() -> Path:
    """Return the folder of the server for this library version."""
    return Path(platformdirs.user_cache_dir("spark-lsp")) / "compare" / version(LIBRARY)


def has_compiler() -> bool:
    """Whether a C++ compiler can be called."""
    named = os.environ.get("CXX", "").split()
    return any(shutil.which(name) for name in (*named[:1], *_COMPILERS))


def finished(folder: Path) -> Path | None:
    """Return the server of an earlier build, or None."""
    name = PROGRAM + (".exe" if os.name == "nt" else "")
    return next((path for path in (folder / "build").rglob(name) if path.is_file()), None)


def build(folder: Path, say: Say) -> Path:
    """Return the server, building it first if necessary; that takes 10 to 15 minutes on two cores.

    Raises:
        BuildFailed: a step failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = finished(folder)
    if done:
        return done
    source = folder / "source"
    if not (source / "CMakeLists.txt").exists():
        say(f"Getting the source of {LIBRARY} {version(LIBRARY)} …")
        _unpack(_download(folder), source)
    tools = _tools(folder)
    say("Building llama.cpp's server; some 10 to 15 minutes on two cores …")
    configure = [tools["cmake"], "-S", str(source), "-B", str(folder / "build"), *_OPTIONS]
    if "ninja" in tools:
        configure += ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools['ninja']}"]
    _run(configure, folder / "configure.log")
    jobs = str(os.cpu_count() or 1)
    _run([tools["cmake"], "--build", str(folder / "build"), "--target", PROGRAM, "-j", jobs], folder / "build.log")
    done = finished(folder)
    if done is None:
        raise BuildFailed(f"The build ended without a {PROGRAM} in {folder / 'build'}.")
    return done


def _download(folder: Path) -> Path:
    """Have pip download the source distribution of the installed package."""
    wanted = f"{LIBRARY}=={version(LIBRARY)}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", LIBRARY, wanted, "-d", str(folder)]
    _run(command, folder / "download.log")
    return next(folder.glob("*.tar.gz"))


def _unpack(archive: Path, source: Path) -> None:
    """Extract llama.cpp's own tree from the archive, into a folder that appears only once it is complete."""
    half = source.with_name("unpacking")
    shutil.rmtree(half, ignore_errors=True)
    with tarfile.open(archive) as tar:
        # The archive also contains the repository's own files of that name, further down.
        inner = [member for member in tar.getmembers() if PurePosixPath(member.name).parts[1:3] == _INNER]
        if not inner:
            raise BuildFailed(f"{archive.name} holds no {'/'.join(_INNER)}.")
        tar.extractall(half, members=inner, filter="data")
    half.joinpath(PurePosixPath(inner[0].name).parts[0], *_INNER).rename(source)
    shutil.rmtree(half, ignore_errors=True)
    archive.unlink()


def _tools(folder: Path) -> dict[str, str]:
    """Return cmake, and ninja if it is installed; pip installs a missing cmake into the folder."""
    programs = {name: path for name in ("cmake", "ninja") if (path := shutil.which(name))}
    if "cmake" not in programs:
        tools = folder / "tools"
        scripts = tools / ("Scripts" if os.name == "nt" else "bin")
        venv.create(tools, with_pip=True)
        _run([str(scripts / "python"), "-m", "pip", "install", "cmake", "ninja"], folder / "tools.log")
        programs = {name: str(scripts / name) for name in ("cmake", "ninja")}
    return programs


def _run(command: list[str], log: Path) -> None:
    """Run a step with its output in a file.

    Raises:
        BuildFailed: it ended with an error.
    """
    nice = ["nice", "-n", "10"] if shutil.which("nice") else []
    with log.open("wb") as output:
        done = subprocess.run(
            [*nice, *command],
            env=build_environment(os.environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    if done.returncode != 0:
        raise BuildFailed(f"{Path(command[0]).name} failed with {done.returncode}; {log} holds what it said.")
