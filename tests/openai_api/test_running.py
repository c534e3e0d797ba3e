"""What a running endpoint leaves for others to find."""

import os
import stat
import tomllib
from pathlib import Path

import pytest

from spark_lsp.cli.serve_openai import REQUIREMENTS, run_endpoint
from spark_lsp.errors import SettingsError
from spark_lsp.openai_api.running import (
    RECORD_FILE,
    TOKEN_FILE,
    forget,
    is_loopback,
    record,
    running_endpoint,
    token_of,
)
from tests.repo.source import ROOT
from tests.support.marks import posix_only


@posix_only
def test_the_token_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    token = token_of(tmp_path / "state")
    file = tmp_path / "state" / TOKEN_FILE
    assert len(token) >= 40
    file.chmod(0o644)
    assert token_of(tmp_path / "state") == token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("short\n")
    assert token_of(tmp_path / "state") not in {token, "short"}


def test_a_record_is_of_a_process_that_lives(tmp_path: Path) -> None:
    assert running_endpoint(tmp_path) is None
    record(tmp_path, "http://127.0.0.1:1/v1", loopback=True)
    running = running_endpoint(tmp_path)
    assert running is not None
    assert (running.pid, running.url) == (os.getpid(), "http://127.0.0.1:1/v1")
    file = tmp_path / RECORD_FILE
    text = file.read_text()
    for broken in (text.replace(str(os.getpid()), "4194304"), text.replace('"started_s":', '"started_s":1'), "{"):
        file.write_text(broken)
        assert running_endpoint(tmp_path) is None
        forget(tmp_path)
        assert file.exists(), "only a process's own record is its to remove"
    file.write_text(text)
    forget(tmp_path)
    assert not file.exists()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *(("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)),
        *(("::", False), ("192.168.0.2", False), ("models.example.com", False), ("", False)),
    ],
)
def test_hosts_of_this_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


def test_it_never_listens_beyond_this_machine_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="can be reached from other machines") as caught:
        run_endpoint("0.0.0.0", 0, "", is_exposed=False)
    assert "--expose" in caught.value.fix
    monkeypatch.setenv("SPARK_LSP_BACKEND_URLS", "http://127.0.0.1:9")
    with pytest.raises(SettingsError, match="only a model of this machine"):
        run_endpoint("127.0.0.1", 0, "", is_exposed=False)


def test_the_extra_is_what_the_message_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["optional-dependencies"]["server"] == list(REQUIREMENTS)
