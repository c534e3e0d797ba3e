"""Tables of arrays in one memory-mapped file: no parsing, no copies, pages shared by windows.

Writes any frozen dataclass of arrays, names and numbers. A file is written under another name first and never changed
afterwards; one that is cut short, damaged or made by other code is refused.
"""

import mmap
import os
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
import numpy as np

from spark_lsp.index.storage.string_table import NumberOf, StringTable

Table = TypeVar("Table")

MAGIC = b"spark-tables-1\n\0"
ALIGNED_BYTES = 64
EAGER_NAMES = 50_000  # as strings and dictionaries these take a few MB, and are ten times faster to ask
_CHUNK_BYTES = 1 << 20


class _FileHeader(msgspec.Struct, frozen=True):
    """What stands before the arrays: of each its type, where it begins and how many bytes it has."""

    maker: str
    tree: Any
    arrays: list[tuple[str, int, int]]
    size: int
    checksum: int


class _TreeWriter:
    """Turns a value into a tree of plain values and a list of arrays."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self._packed: list[tuple[tuple[str, ...], int]] = []

    def array(self, values: Any) -> int:
        self.arrays.append(np.ascontiguousarray(values))
        return len(self.arrays) - 1

    def names(self, names: tuple[str, ...]) -> int:
        """Write names, or find those that were written before (a mapping and its keys); returns the first array."""
        for known, place in self._packed:
            if known == names:
                return place
        packed = StringTable.of(names)
        place = self.array(np.frombuffer(packed.block, np.uint8))
        self.array(packed.ends)
        self.array(packed.order)
        self._packed.append((names, place))
        return place

    def node(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return ["array", self.array(value)]
        if is_dataclass(value):
            return [
                "fields",
                type(value).__name__,
                {member.name: self.node(getattr(value, member.name)) for member in fields(value)},
            ]
        if isinstance(value, StringTable):
            return ["names", self.names(tuple(value))]
        if isinstance(value, tuple | list) and all(isinstance(item, str) for item in value):
            return ["strings", self.names(tuple(value)) if len(set(value)) == len(value) else list(value)]
        if isinstance(value, Mapping):
            return self._mapping(value)
        return ["plain", value]

    def _mapping(self, value: Mapping[str, Any]) -> Any:
        place = self.names(tuple(value))
        values = list(value.values())
        if all(isinstance(item, int) for item in values):
            sequential = values == list(range(len(values)))
            return ["numbers", place, -1 if sequential else self.array(np.array(values, np.int64))]
        lengths = [len(item) for item in values]
        joined = np.concatenate(values) if values else np.zeros(0, np.int32)
        return ["rows", place, self.array(np.array(lengths, np.int64)), self.array(joined)]


def write(path: Path, table: Any, *, maker: str) -> None:
    """Write a table; ``maker`` is the version of the code, which ``read`` requires too.

    Raises:
        OSError: the file cannot be written.
    """
    writer = _TreeWriter()
    tree = writer.node(table)
    places: list[tuple[str, int, int]] = []
    size = checksum = 0
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with beside.open("wb") as file:
            file.write(bytes(ALIGNED_BYTES))
            for array in writer.arrays:
                raw = memoryview(array).cast("B") if array.size else b""
                places.append((array.dtype.str, size, len(raw)))
                padding = bytes(-len(raw) % ALIGNED_BYTES)
                for chunk in (raw, padding):
                    file.write(chunk)
                    checksum = zlib.crc32(chunk, checksum)
                    size += len(chunk)
            header = msgspec.msgpack.encode(_FileHeader(maker, tree, places, size, checksum))
            file.write(header)
            file.seek(0)
            file.write(MAGIC + size.to_bytes(8, "little") + zlib.crc32(header).to_bytes(4, "little"))
        beside.chmod(0o600)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read(path: Path, kind: type[Table], *, maker: str) -> Table | None:
    """Map a table into memory; None for a file that is absent, damaged, or written by other code."""
    try:
        with path.open("rb") as file:
            header = _checked_header(file, maker)
            if header is None:
                return None
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    return _TreeReader(mapped, header.arrays, _classes(kind)).value(header.tree)  # type: ignore[no-any-return]


def _checked_header(file: Any, maker: str) -> _FileHeader | None:
    """Read the header and check everything before it, in chunks: mapped pages would count as our memory."""
    first = file.read(ALIGNED_BYTES)
    if not first.startswith(MAGIC):
        return None
    size = int.from_bytes(first[len(MAGIC) : len(MAGIC) + 8], "little")
    checksum, left = 0, size
    while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
        checksum = zlib.crc32(chunk, checksum)
        left -= len(chunk)
    raw = file.read()
    if left or zlib.crc32(raw) != int.from_bytes(first[len(MAGIC) + 8 : len(MAGIC) + 12], "little"):
        return None
    header = msgspec.msgpack.decode(raw, type=_FileHeader)
    return header if (header.maker, header.size, header.checksum) == (maker, size, checksum) else None


class _TreeReader:
    """Makes a value of its tree again; arrays stay in the mapped file."""

    def __init__(self, mapped: Any, places: list[tuple[str, int, int]], classes: Mapping[str, type]) -> None:
        self._mapped = mapped
        self._places = places
        self._classes = classes

    def array(self, number: int) -> Any:
        kind, start, size = self._places[number]
        if not size:
            return np.zeros(0, kind)
        kind_bytes = np.dtype(kind).itemsize
        return np.frombuffer(self._mapped, kind, size // kind_bytes, ALIGNED_BYTES + start)

    def names(self, first: int) -> StringTable:
        return StringTable(self.array(first), self.array(first + 1), self.array(first + 2))

    def value(self, node: Any) -> Any:
        kind, *parts = node
        return getattr(self, f"_{kind}")(*parts)

    def _array(self, number: int) -> Any:
        return self.array(number)

    def _plain(self, value: Any) -> Any:
        return value

    def _names(self, first: int) -> StringTable:
        return self.names(first)

    def _strings(self, what: int | list[str]) -> Any:
        if isinstance(what, list):
            return tuple(what)
        names = self.names(what)
        return tuple(names) if len(names) <= EAGER_NAMES else names

    def _fields(self, name: str, values: Mapping[str, Any]) -> Any:
        return self._classes[name](**{field: self.value(node) for field, node in values.items()})

    def _numbers(self, first: int, values: int) -> Mapping[str, int]:
        names = self.names(first)
        if values < 0 and len(names) > EAGER_NAMES:
            return NumberOf(names)
        return dict(zip(names, range(len(names)) if values < 0 else self.array(values).tolist(), strict=True))

    def _rows(self, first: int, lengths: int, joined: int) -> Mapping[str, Any]:
        ends = np.cumsum(self.array(lengths)).tolist()
        everything = self.array(joined)
        starts = [0, *ends]
        names = self.names(first)
        return {name: everything[start:end] for name, start, end in zip(names, starts, ends, strict=False)}


def _classes(kind: type) -> dict[str, type]:
    """Return the dataclasses that a dataclass is made of, itself among them, by name."""
    classes: dict[str, type] = {}
    waiting: list[Any] = [kind]
    while waiting:
        annotation = waiting.pop()
        waiting += get_args(annotation)
        if isinstance(annotation, type) and is_dataclass(annotation) and annotation.__name__ not in classes:
            classes[annotation.__name__] = annotation
            waiting += get_type_hints(annotation).values()
    return classes
