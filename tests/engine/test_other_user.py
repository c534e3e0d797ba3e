"""A second user of the machine reads nothing of ours and reaches no engine. Needs the superuser."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spark_lsp.completion.feedback import Feedback
from spark_lsp.engine.base import CompletionRequest
from spark_lsp.engine.local.address import RUNTIME_VARIABLE, endpoint_of
from spark_lsp.engine.local.local_engine import LocalEngine, stop_engines
from spark_lsp.index.store import Index
from spark_lsp.private_file import open_private
from tests.engine.conftest import shipped
from tests.engine.test_contract import collect, prompt

NAME = "sparkguest"
CONNECT = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
"""
SYSTEM_PYTHON = shutil.which("python3", path="/usr/bin:/bin")

pytestmark = [
    pytest.mark.model,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only the superuser can make another user"),
    pytest.mark.skipif(shutil.which("useradd") is None, reason="there is no useradd"),
    pytest.mark.skipif(SYSTEM_PYTHON is None, reason="no Python that every user may run"),
]


@contextmanager
def second_user() -> Iterator[int]:
    """Make a user without a home; remove it again."""
    name = f"{NAME}{os.getpid() % 100_000}"
    subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/bin/false", name], check=True)
    try:
        uid = subprocess.run(["id", "-u", name], check=True, capture_output=True, text=True).stdout
        yield int(uid)
    finally:
        subprocess.run(["userdel", name], check=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, so that its content has to protect itself."""
    before = os.umask(0)
    path = Path(tempfile.mkdtemp(prefix="spark-open-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        os.umask(before)
        shutil.rmtree(path, ignore_errors=True)


def as_user(uid: int, *command: str) -> int:
    """Run a command as another user and return its status."""
    return subprocess.run(
        command,
        check=False,
        user=uid,
        group=uid,
        extra_groups=[],
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
    ).returncode


def files_of(folder: Path, root: Path) -> list[Path]:
    """Return the files and sockets in a folder but for those of the workspace."""
    return [path for path in folder.rglob("*") if not path.is_relative_to(root) and not path.is_dir()]


async def test_another_user_reads_no_file_and_reaches_no_socket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUNTIME_VARIABLE, str(folder / "run"))
    root = folder / "workspace"
    root.mkdir()
    (root / "a.py").write_text("def alpha(value):\n    return value\n" * 400)
    index = Index(root, cache_path=folder / "cache" / "index" / "w.db")
    index.refresh()
    launch = shipped(cache_folder=str(folder / "cache" / "kv"), cache_bytes=1 << 28)
    engine = LocalEngine(launch)
    await engine.start()
    assert (await collect(engine, CompletionRequest(prompt(), 4)))[-1].stop is not None
    Feedback(folder / "state" / "feedback.jsonl")
    with open_private(folder / "server.log") as log:
        log.write("a line\n")
    try:
        socket = endpoint_of(launch).address
        ours = files_of(folder, root)
        assert {"e-", "w.", "en"} <= {path.name[:2] for path in ours}, "socket, index and log are among them"
        with second_user() as uid:
            assert as_user(uid, "cat", str(root / "a.py")) == 0, "the user can read what is open to all"
            assert [str(path) for path in ours if as_user(uid, "head", "-c1", str(path)) == 0] == []
            assert [str(path) for path in ours if as_user(uid, "test", "-w", str(path)) == 0] == []
            assert SYSTEM_PYTHON is not None
            assert as_user(uid, SYSTEM_PYTHON, "-c", CONNECT, socket) != 0
        assert as_user(os.getuid(), SYSTEM_PYTHON, "-c", CONNECT, socket) == 0, "and its owner can"
    finally:
        index.close()
        await engine.close()
        await stop_engines()
