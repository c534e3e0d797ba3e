"""The VS Code extension's package, built if its sources are newer, with the modules of the lock file."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.editors import install

EXTENSION = Path(__file__).resolve().parents[2] / "editors" / "vscode"
PACKAGE = EXTENSION / "spark-lsp.vsix"
# What npm says when it reaches no registry; a lock file that does not fit says something else, and fails.
NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT", "ENOTCACHED")


def npm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run npm in the extension's folder."""
    program = shutil.which("npm")
    if program is None:
        pytest.skip("no npm here: Node 20 or newer is needed to build the VS Code extension")
    command = [program, "--silent", *arguments] if arguments[0] == "run" else [program, *arguments]
    environment = os.environ | {"CI": "1"}
    if install.NODE_BINARY.exists():  # the system's own may be too old to pack the extension
        environment["PATH"] = f"{install.NODE_BINARY.parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        command, cwd=EXTENSION, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def run_script(name: str) -> None:
    """Run a script of package.json, which must succeed."""
    done = npm("run", name)
    assert done.returncode == 0, f"npm run {name}\n{done.stdout}\n{done.stderr}"


def fetch_modules() -> None:
    """Install the modules of the lock file, only if it has changed since."""
    lock = hashlib.sha256((EXTENSION / "package-lock.json").read_bytes()).hexdigest()
    stamp = EXTENSION / "node_modules" / ".installed-lock-sha256"
    if stamp.exists() and stamp.read_text(encoding="ascii") == lock:
        return
    done = npm("ci", "--no-progress")
    if done.returncode != 0 and any(code in done.stderr for code in NO_NETWORK):
        pytest.skip("npm reaches no registry, and the extension's modules are not installed")
    assert done.returncode == 0, f"npm ci\n{done.stdout}\n{done.stderr}"
    stamp.write_text(lock, encoding="ascii")


def build() -> Path:
    """Return the package, built from the current sources."""
    fetch_modules()
    PACKAGE.unlink(missing_ok=True)
    run_script("package")
    return PACKAGE
