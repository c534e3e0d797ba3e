"""Record which files use which word, and which definitions are in which windows: flat arrays over the workspace.

Immutable. Built at once in the background after a refresh; between builds ``view.py`` overlays changed files.
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

from spark_lsp.index.parse.windows import FileWords

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class SparseTable:
    """A sparse table: the columns of row ``r`` are ``columns[ends[r] : ends[r + 1]]``."""

    ends: npt.NDArray[np.int64]
    columns: Ints

    def __getitem__(self, row: int) -> Ints:
        return self.columns[self.ends[row] : self.ends[row + 1]]

    def slice(self, row: int) -> slice:
        """Return the slice of a row, for arrays parallel to ``columns``."""
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
    users: SparseTable  # word -> files that use it as an identifier
    use_counts: Ints  # beside users.columns
    windows_of: SparseTable  # word -> windows that hold it
    defined_in: SparseTable  # window -> words in it that some file defines
    window_file: Ints  # window -> file
    folders: Mapping[str, Ints]  # folder -> files right in it


def build_postings(files: Iterable[tuple[str, FileWords]], defined: Iterable[str]) -> Postings:
    """Number the words of the files and build the tables; ``defined`` are the names that some file defines."""
    numbers: defaultdict[bytes, int] = defaultdict(count().__next__)
    paths: list[str] = []
    own: list[Ints] = []  # of each file the numbers of its words
    packed: list[FileWords] = []
    for path, words in files:
        paths.append(path)
        raw = words.raw_names()
        own.append(np.fromiter(map(numbers.__getitem__, raw), np.int32, len(raw)))
        packed.append(words.without_names())
    window_file = _file_of([len(file_words.sizes) // 2 for file_words in packed])
    of_file = _OfFiles(own)
    used, using = of_file.numbers([file_words.used for file_words in packed])
    use_counts = np.frombuffer(b"".join([file_words.counts for file_words in packed]), np.uint32)
    members, _ = of_file.numbers([file_words.members for file_words in packed])
    sizes = np.frombuffer(b"".join([file_words.sizes for file_words in packed]), np.uint16)
    window_ids = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    ids = {raw.decode("utf-8"): number for raw, number in numbers.items()}
    is_defined = np.zeros(len(ids) + 1, bool)
    is_defined[[ids[name] for name in defined if name in ids]] = True
    users, order = _rows(used, using, len(ids))
    windows_of, _ = _rows(members, window_ids, len(ids))
    kept = is_defined[members]
    defined_in, _ = _rows(window_ids[kept], members[kept], len(sizes))
    return Postings(
        tuple(paths),
        {path: number for number, path in enumerate(paths)},
        tuple(ids),
        ids,
        users,
        use_counts.astype(np.int32)[order],
        windows_of,
        defined_in,
        window_file,
        _by_folder(paths),
    )


def _by_folder(paths: Sequence[str]) -> Mapping[str, Ints]:
    folders: dict[str, list[int]] = {}
    for number, path in enumerate(paths):
        folders.setdefault(dirname(path), []).append(number)
    return {folder: np.array(numbers, np.int32) for folder, numbers in folders.items()}


class _OfFiles:
    """The words of all files: what places among a file's words mean, for all files at once."""

    def __init__(self, own: Sequence[Ints]) -> None:
        lengths = np.array([len(row) for row in own], np.int32)
        self._own = np.concatenate(own) if own else np.zeros(0, np.int32)
        self._firsts = (np.cumsum(lengths) - lengths).astype(np.int32)

    def numbers(self, packed: Sequence[bytes]) -> tuple[Ints, Ints]:
        """Return the words that stand at places of 16 bits, and beside each its file."""
        file = _file_of([len(row) // 2 for row in packed])
        return self._own[np.frombuffer(b"".join(packed), np.uint16) + self._firsts[file]], file


def _file_of(lengths: Sequence[int]) -> Ints:
    """Return the number of each file as often as it has rows."""
    return np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)


def _rows(rows: Ints, columns: Ints, row_count: int) -> tuple[SparseTable, npt.NDArray[np.int64]]:
    """Sort pairs into rows; a row keeps the order in which its columns came. Returns the order too, for side arrays."""
    order = _stable_order(rows)
    ends = np.zeros(row_count + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=row_count), out=ends[1:])
    return SparseTable(ends, columns[order]), order


def _stable_order(numbers: Ints) -> npt.NDArray[np.int64]:
    """Return ``np.argsort(numbers, kind="stable")`` in a third of its time: numpy sorts 16 bits by counting."""
    order = np.argsort((numbers & 0xFFFF).astype(np.uint16), kind="stable")
    return order[np.argsort((numbers >> 16).astype(np.uint16)[order], kind="stable")]
