"""Index files that have long been unused are removed, whole indexes at a time, and nothing else."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.index.storage.cleanup import KEPT_DAYS, mark_used, remove_unused

NOW_S = 2_000_000_000.0
DAY_S = 86_400


def put(folder: Path, name: str, *, days_ago: float) -> Path:
    path = folder / name
    path.write_bytes(b"x")
    os.utime(path, (NOW_S - days_ago * DAY_S,) * 2)
    return path


def test_an_old_index_goes_with_all_its_files(tmp_path: Path) -> None:
    for name in ("old.sqlite", "old.sqlite-wal", "old.tables"):
        put(tmp_path, name, days_ago=KEPT_DAYS + 1)
    put(tmp_path, "new.sqlite", days_ago=1)
    assert remove_unused(tmp_path, now_s=NOW_S) == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["new.sqlite"]


def test_one_young_file_keeps_its_index(tmp_path: Path) -> None:
    put(tmp_path, "work.sqlite", days_ago=400)
    put(tmp_path, "work.sqlite-wal", days_ago=3)
    assert remove_unused(tmp_path, now_s=NOW_S) == []
    assert len(list(tmp_path.iterdir())) == 2


def test_an_index_in_use_is_young(tmp_path: Path) -> None:
    path = put(tmp_path, "work.sqlite", days_ago=400)
    mark_used(path)
    assert remove_unused(tmp_path) == []


def test_what_is_not_there_or_no_file_is_left_alone(tmp_path: Path) -> None:
    mark_used(tmp_path / "none.sqlite")
    assert remove_unused(tmp_path / "none") == []
    folder = tmp_path / "folder"
    folder.mkdir()
    os.utime(folder, (0, 0))
    assert remove_unused(tmp_path, now_s=NOW_S) == []
    assert folder.is_dir()


@given(days=st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1000), max_size=6))
def test_no_index_younger_than_the_limit_is_ever_removed(days: dict[str, float], tmp_path_factory: object) -> None:
    folder = tmp_path_factory.mktemp("index")  # type: ignore[attr-defined]
    for name, ago in days.items():
        put(folder, f"{name}.sqlite", days_ago=ago)
    removed = set(remove_unused(folder, now_s=NOW_S))
    assert removed == {name for name, ago in days.items() if ago > KEPT_DAYS}
