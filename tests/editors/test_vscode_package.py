"""The VS Code extension compiles strictly and packs to one small file. Fast the second time: the modules are kept."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.editor

EXTENSION = Path(__file__).resolve().parents[2] / "editors" / "vscode"
LARGEST_PACKAGE_BYTES = 1_000_000
# What npm says when it reaches no registry; a lock file that does not fit says something else, and fails.
NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT", "ENOTCACHED")


def npm(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("npm")
    if program is None:
        pytest.skip("no npm here: Node 20 or newer is needed to build the VS Code extension")
    command = [program, "--silent", *arguments] if arguments[0] == "run" else [program, *arguments]
    return subprocess.run(
        command, cwd=EXTENSION, env=os.environ | {"CI": "1"}, capture_output=True, text=True, timeout=600, check=False
    )


def run_script(name: str) -> None:
    done = npm("run", name)
    assert done.returncode == 0, f"npm run {name}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module", autouse=True)
def node_modules() -> None:
    """Installed as the lock file says, and only when it has changed since."""
    lock = hashlib.sha256((EXTENSION / "package-lock.json").read_bytes()).hexdigest()
    stamp = EXTENSION / "node_modules" / ".installed-lock-sha256"
    if stamp.exists() and stamp.read_text(encoding="ascii") == lock:
        return
    done = npm("ci", "--no-progress")
    if done.returncode != 0 and any(code in done.stderr for code in NO_NETWORK):
        pytest.skip("npm reaches no registry, and the extension's modules are not installed")
    assert done.returncode == 0, f"npm ci\n{done.stdout}\n{done.stderr}"
    stamp.write_text(lock, encoding="ascii")


def test_types_are_right() -> None:
    run_script("check")


def test_one_small_package_holds_what_it_needs_and_nothing_else() -> None:
    package = EXTENSION / "spark-lsp.vsix"
    package.unlink(missing_ok=True)
    run_script("package")
    assert package.stat().st_size < LARGEST_PACKAGE_BYTES
    with zipfile.ZipFile(package) as archive:
        names = {name.removeprefix("extension/") for name in archive.namelist() if name.startswith("extension/")}
    assert names == {"package.json", "readme.md", "LICENSE.txt", "dist/extension.js", "images/icon.png"}


def test_every_command_has_a_handler() -> None:
    manifest = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    contributed = {row["command"] for row in manifest["contributes"]["commands"]}
    source = (EXTENSION / "src" / "commands.ts").read_text(encoding="utf-8")
    handled = {f"sparkLsp.{name}" for name in re.findall(r'\bid: "(\w+)"', source)}
    assert contributed == handled


def test_the_lock_file_holds_no_address() -> None:
    assert "resolved" not in (EXTENSION / "package-lock.json").read_text(encoding="utf-8")


def test_the_licence_is_the_repository_s() -> None:
    assert (EXTENSION / "LICENSE").read_bytes() == (EXTENSION.parents[1] / "LICENSE").read_bytes()
