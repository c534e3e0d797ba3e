"""Who uses which word, and which definitions stand in which windows: flat arrays over the whole workspace.

Immutable. Built at once in the background after a refresh; between builds ``view.py`` lays changed files over it.
All that ranking sums is a slice of an array here: a keystroke costs what the cursor's words cost, not the workspace.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from posixpath import dirname
from typing import Any

import numpy as np
import numpy.typing as npt

from spark_lsp.index.windows import FileWords

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Rows:
    """A sparse table: the columns of row ``r`` are ``columns[ends[r] : ends[r + 1]]``."""

    ends: npt.NDArray[np.int64]
    columns: Ints

    def __getitem__(self, row: int) -> Ints:
        return self.columns[self.ends[row] : self.ends[row + 1]]

    def slice(self, row: int) -> slice:
        """Return where a row lies, for arrays that run beside ``columns``."""
        return slice(int(self.ends[row]), int(self.ends[row + 1]))

    def joined(self, rows: npt.NDArray[Any]) -> tuple[Ints, npt.NDArray[np.int64]]:
        """Join many rows without a loop over them; also returns the length of each."""
        starts = self.ends[rows]
        lengths = self.ends[rows + 1] - starts
        before = np.cumsum(lengths) - lengths
        return self.columns[np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)], lengths


@dataclass(frozen=True, slots=True)
class Postings:
    """The arrays. Words are numbered by ``word_ids``, files by their place in ``paths``, windows through all files."""

    paths: tuple[str, ...]
    file_ids: Mapping[str, int]
    words: tuple[str, ...]
    word_ids: Mapping[str, int]
    users: Rows  # word -> files that use it as an identifier
    use_counts: Ints  # beside users.columns
    windows_of: Rows  # word -> windows that hold it
    defined_in: Rows  # window -> words in it that some file defines
    window_file: Ints  # window -> file
    folders: Mapping[str, Ints]  # folder -> files right in it


def build_postings(files: Iterable[tuple[str, FileWords]], defined: Iterable[str]) -> Postings:
    """Number the words of the files and lay out the tables; ``defined`` are the names that some file defines."""
    numbers: defaultdict[bytes, int] = defaultdict(count().__next__)
    paths: list[str] = []
    uses = _Pairs()
    windows = _Pairs()
    use_counts: list[npt.NDArray[Any]] = []
    window_files: list[npt.NDArray[Any]] = []
    window_count = 0
    for file, (path, words) in enumerate(files):
        paths.append(path)
        raw = words.raw_names()
        own = np.fromiter(map(numbers.__getitem__, raw), np.int32, len(raw))
        used = own[np.frombuffer(words.used, np.uint16)]
        uses.add(used, np.full(len(used), file, np.int32))
        use_counts.append(np.frombuffer(words.counts, np.uint32))
        sizes = np.frombuffer(words.sizes, np.uint16)
        members = own[np.frombuffer(words.members, np.uint16)]
        windows.add(members, np.repeat(np.arange(window_count, window_count + len(sizes), dtype=np.int32), sizes))
        window_files.append(np.full(len(sizes), file, np.int32))
        window_count += len(sizes)
    ids = {raw.decode("utf-8"): number for raw, number in numbers.items()}
    is_defined = np.zeros(len(ids) + 1, bool)
    is_defined[[ids[name] for name in defined if name in ids]] = True
    users, order = _rows(*uses.arrays(), len(ids))
    members, window_ids = windows.arrays()
    windows_of, _ = _rows(members, window_ids, len(ids))
    kept = is_defined[members]
    defined_in, _ = _rows(window_ids[kept], members[kept], window_count)
    return Postings(
        tuple(paths),
        {path: number for number, path in enumerate(paths)},
        tuple(ids),
        ids,
        users,
        _joined(use_counts)[order],
        windows_of,
        defined_in,
        _joined(window_files),
        _by_folder(paths),
    )


def _by_folder(paths: Sequence[str]) -> Mapping[str, Ints]:
    folders: dict[str, list[int]] = {}
    for number, path in enumerate(paths):
        folders.setdefault(dirname(path), []).append(number)
    return {folder: np.array(numbers, np.int32) for folder, numbers in folders.items()}


class _Pairs:
    """Row and column numbers, collected piece by piece."""

    def __init__(self) -> None:
        self._rows: list[npt.NDArray[Any]] = []
        self._columns: list[npt.NDArray[Any]] = []

    def add(self, rows: Ints, columns: Ints) -> None:
        self._rows.append(rows)
        self._columns.append(columns)

    def arrays(self) -> tuple[Ints, Ints]:
        return _joined(self._rows), _joined(self._columns)


def _joined(pieces: list[npt.NDArray[Any]]) -> Ints:
    return np.concatenate(pieces).astype(np.int32, copy=False) if pieces else np.zeros(0, np.int32)


def _rows(rows: Ints, columns: Ints, row_count: int) -> tuple[Rows, npt.NDArray[np.int64]]:
    """Sort pairs into rows; a row keeps the order in which its columns came. Returns the order too, for side arrays."""
    order = np.argsort(rows, kind="stable")
    ends = np.zeros(row_count + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=row_count), out=ends[1:])
    return Rows(ends, columns[order]), order
