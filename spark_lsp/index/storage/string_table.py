"""Store many names in little memory: one block of bytes instead of a hundred thousand strings and a dictionary.

Immutable. The block may be a file mapped into memory. A name is found by halving, and those asked for are remembered.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

REMEMBERED = 32_768  # names looked up lately; a keystroke asks for some hundreds, mostly the same ones


class StringTable(Sequence[str]):
    """Names by number. ``order`` sorts the numbers by name (as UTF-8)."""

    __slots__ = ("block", "decoded", "ends", "order", "remembered")

    def __init__(self, block: Any, ends: npt.NDArray[np.int64], order: npt.NDArray[np.int32]) -> None:
        self.block = memoryview(block)
        self.ends = ends  # one more than names; the first is 0
        self.order = order
        self.remembered: dict[str, int] = {}
        self.decoded: dict[int, str] = {}

    @classmethod
    def of(cls, names: Iterable[str]) -> "StringTable":
        """Pack names, which must differ from one another."""
        raw = [name.encode("utf-8", "surrogatepass") for name in names]
        ends = np.zeros(len(raw) + 1, np.int64)
        np.cumsum([len(word) for word in raw], out=ends[1:])
        order = np.array(sorted(range(len(raw)), key=raw.__getitem__), np.int32)
        return cls(b"".join(raw), ends, order)

    def raw(self, number: int) -> bytes:
        """Return a name as UTF-8."""
        return bytes(self.block[self.ends[number] : self.ends[number + 1]])

    def find(self, name: str) -> int:
        """Return the number of a name, -1 for one that is not here."""
        number = self.remembered.get(name)
        if number is None:
            number = self._search(name.encode("utf-8", "surrogatepass"))
            if len(self.remembered) >= REMEMBERED:
                self.remembered.clear()
            self.remembered[name] = number
        return number

    def _search(self, raw: bytes) -> int:
        place = bisect_left(self.order, raw, key=self.raw)
        if place == len(self.order):
            return -1
        number = int(self.order[place])
        return number if self.raw(number) == raw else -1

    @overload
    def __getitem__(self, number: int) -> str: ...

    @overload
    def __getitem__(self, number: slice) -> list[str]: ...

    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [self[place] for place in range(*number.indices(len(self)))]
        name = self.decoded.get(number)
        if name is None:
            if not -len(self) <= number < len(self):
                raise IndexError(number)
            name = self.raw(number % len(self)).decode("utf-8", "surrogatepass")
            if len(self.decoded) >= REMEMBERED:
                self.decoded.clear()
            self.decoded[number] = name
        return name

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __iter__(self) -> Iterator[str]:
        block, ends = bytes(self.block), self.ends.tolist()
        for number in range(len(self)):
            yield block[ends[number] : ends[number + 1]].decode("utf-8", "surrogatepass")


class NumberOf(Mapping[str, int]):
    """The other way round: names to their numbers."""

    __slots__ = ("_names",)

    def __init__(self, names: StringTable) -> None:
        self._names = names

    def __getitem__(self, name: str) -> int:
        number = self._names.find(name)
        if number < 0:
            raise KeyError(name)
        return number

    def get(self, name: str, default: Any = None) -> Any:
        """Return a name's number; without this a mapping raises and catches for each name that is not here."""
        number = self._names.find(name)
        return number if number >= 0 else default

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._names.find(name) >= 0

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
