"""Files that only their owner may read, also where one was there before."""

import os
import stat
from pathlib import Path

import pytest

from spark_lsp.private_file import open_private, open_private_bytes

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_and_old_files_are_their_owners_alone(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        with open_private(tmp_path / "new.txt") as file:
            file.write("ü")
        (tmp_path / "old.txt").write_text("a")
        (tmp_path / "old.txt").chmod(0o666)
        with open_private(tmp_path / "old.txt", "a") as file:
            file.write("b")
        with open_private_bytes(tmp_path / "bytes.zip") as binary:
            binary.write(b"\0")
    finally:
        os.umask(old_mask)
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}
    assert (tmp_path / "new.txt").read_text("utf-8") == "ü"
    assert (tmp_path / "old.txt").read_text("utf-8") == "ab"
