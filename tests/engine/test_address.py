"""The folder of engines: one that nobody else owns, or an error message."""

import os
from pathlib import Path

import platformdirs
import pytest

from spark_lsp.doctor.machine_checks import folders
from spark_lsp.engine.local import address
from spark_lsp.engine.local.address import RUNTIME_VARIABLE, endpoint_of, endpoints, log_folder, runtime_folder
from spark_lsp.errors import EngineFailed
from tests.engine.conftest import shipped
from tests.support.marks import posix_only

pytestmark = posix_only


def _refuse(*_arguments: object, **_options: object) -> str:
    raise PermissionError("/tmp/runtime-1000 is not owned by uid 1000")


def test_a_folder_for_temporary_files_that_another_user_took_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RUNTIME_VARIABLE, raising=False)
    monkeypatch.setattr(platformdirs, "user_runtime_dir", _refuse)
    for ask in (runtime_folder, endpoints, lambda: endpoint_of(shipped())):
        with pytest.raises(EngineFailed, match="no private folder for the engine's socket") as caught:
            ask()
        assert "\n" not in str(caught.value)
        assert "SPARK_LSP_RUNTIME_DIR" in caught.value.fix
    check = next(check for check in folders() if check.name == "runtime")
    assert check.status == "fail"
    assert check.fix


def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUNTIME_VARIABLE, str(tmp_path / "run"))
    runtime_folder()
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(EngineFailed, match="belongs to another user"):
        runtime_folder()


def test_a_link_of_another_user_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "mine")
    monkeypatch.setenv(RUNTIME_VARIABLE, str(tmp_path / "run"))
    assert runtime_folder() == tmp_path / "run", "a link of one's own is"

    def lstat(path: Path) -> os.stat_result:
        facts = list(os.lstat(path))
        facts[4] += 1
        return os.stat_result(facts)

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(EngineFailed, match="belongs to another user"):
        runtime_folder()


def test_a_folder_that_others_can_enter_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    monkeypatch.setenv(RUNTIME_VARIABLE, str(tmp_path / "run"))
    assert runtime_folder().stat().st_mode & 0o077 == 0


def test_a_folder_of_logs_that_cannot_be_made_stops_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RUNTIME_VARIABLE, raising=False)
    (tmp_path / "state").write_text("a file")
    monkeypatch.setattr(address.platformdirs, "user_log_dir", lambda *_a, **_k: str(tmp_path / "state" / "log"))
    assert log_folder() == tmp_path / "state" / "log"
