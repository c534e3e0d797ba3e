"""Tables on disk and names in one block: the written data is read back, and damaged data is refused."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_lsp.index.parse.facts import file_facts, packed_of, scan_result
from spark_lsp.index.storage import mapped_file
from spark_lsp.index.storage.string_table import NumberOf, StringTable
from spark_lsp.index.storage.tables import FileRow, Tables, build_tables

names = st.lists(st.text(max_size=12), unique=True, max_size=40)


@dataclass(frozen=True)
class _Inner:
    values: np.ndarray


@dataclass(frozen=True)
class _Outer:
    inner: _Inner
    paths: tuple[str, ...]
    repeated: tuple[str, ...]
    numbers: dict[str, int]
    rows: dict[str, np.ndarray]
    count: int


SOURCES = {
    "a.py": "def one(): return two()\nclass A:\n    x = 1\n",
    "b/c.py": "def two(): return one()\n",
    "d.txt": "x",
}


def tables_of(sources: dict[str, str]) -> Tables:
    rows = []
    for path, text in sorted(sources.items()):
        result = scan_result(path, f"{len(text):032x}", packed_of(path, text))
        row = FileRow(path, result.content_hash, result.language, len(text), 7, result.definitions, result.uses)
        rows.append((row, packed_of(path, text)))
    return build_tables(rows)


@given(names, st.text(max_size=3))
def test_names_are_found_by_number_and_by_name(known: list[str], unknown: str) -> None:
    packed = StringTable.of(known)
    numbers = NumberOf(packed)
    assert list(packed) == known
    assert [packed[number] for number in range(len(known))] == known
    assert dict(numbers) == {name: number for number, name in enumerate(known)}
    assert (unknown in numbers) == (unknown in known)
    with pytest.raises(IndexError):
        packed[len(known)]


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    table = _Outer(
        _Inner(np.arange(5, dtype=np.int32)),
        ("a", "é"),
        ("a", "a"),
        {"x": 0, "y": 7},
        {"f": np.array([1, 2], np.int32), "": np.array([], np.int32)},
        3,
    )
    mapped_file.write(tmp_path / "t", table, maker="m")
    back = mapped_file.read(tmp_path / "t", _Outer, maker="m")
    assert back is not None
    assert back.inner.values.tolist() == [0, 1, 2, 3, 4]
    assert (back.paths, back.repeated, back.numbers, back.count) == (("a", "é"), ("a", "a"), {"x": 0, "y": 7}, 3)
    assert {name: row.tolist() for name, row in back.rows.items()} == {"f": [1, 2], "": []}
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_names_beyond_a_limit_stay_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = tables_of(SOURCES)
    mapped_file.write(tmp_path / "t", tables, maker="m")
    monkeypatch.setattr(mapped_file, "EAGER_NAMES", 1)
    back = mapped_file.read(tmp_path / "t", Tables, maker="m")
    assert back is not None
    assert isinstance(back.postings.word_ids, NumberOf)
    assert list(back.postings.words) == list(tables.postings.words)
    assert dict(back.postings.word_ids) == dict(tables.postings.word_ids)
    assert list(back.files.rows()) == list(tables.files.rows())
    assert list(back.definitions.names) == list(tables.definitions.names)
    (row,) = back.definitions.rows("A")
    assert back.definitions.definition(row, "A") == file_facts("a.py", SOURCES["a.py"]).symbols.definitions[1]


def test_what_is_damaged_cut_short_or_of_other_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t"
    mapped_file.write(path, tables_of(SOURCES), maker="m")
    raw = path.read_bytes()
    assert mapped_file.read(path, Tables, maker="m") is not None
    assert mapped_file.read(path, Tables, maker="another") is None
    assert mapped_file.read(tmp_path / "missing", Tables, maker="m") is None
    for place in (0, len(mapped_file.MAGIC) + 1, mapped_file.ALIGNED_BYTES + 3, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :])
        assert mapped_file.read(path, Tables, maker="m") is None, place
    for size in (0, 10, mapped_file.ALIGNED_BYTES, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:size])
        assert mapped_file.read(path, Tables, maker="m") is None, size


def test_tables_of_no_files(tmp_path: Path) -> None:
    mapped_file.write(tmp_path / "t", build_tables(()), maker="m")
    back = mapped_file.read(tmp_path / "t", Tables, maker="m")
    assert back is not None
    assert (list(back.files.rows()), list(back.definitions.names)) == ([], [])
