"""A mapping that is cheap to change and safe to share: a large immutable base and a small layer above it.

An update copies the small layer alone: one edited file costs the same in a workspace of ten and of ten thousand files.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

MERGE_AT_LEAST = 256
MERGE_SHARE = 8  # merged when the layer reaches an eighth of the base: amortised, each entry is copied a few times


class _Gone:
    """Marks a key of the base as removed."""


_GONE: Final = _Gone()


class Layered(Mapping[Key, Value], Generic[Key, Value]):
    """An immutable mapping; ``changed`` gives the next one."""

    __slots__ = ("_base", "_layer", "_length")

    def __init__(self, base: Mapping[Key, Value] | None = None) -> None:
        self._base: dict[Key, Value] = dict(base or {})
        self._layer: dict[Key, Value | _Gone] = {}
        self._length = len(self._base)

    def changed(self, changes: Mapping[Key, Value | None]) -> "Layered[Key, Value]":
        """Return a mapping with the changes made; None removes a key."""
        if not changes:
            return self
        layer = dict(self._layer)
        length = self._length
        for key, value in changes.items():
            length += (value is not None) - (key in self)
            layer[key] = _GONE if value is None else value
        result: Layered[Key, Value] = Layered.__new__(Layered)
        result._base, result._layer, result._length = self._base, layer, length
        if len(layer) > max(MERGE_AT_LEAST, len(self._base) // MERGE_SHARE):
            result._merge()
        return result

    def _merge(self) -> None:
        merged = dict(self._base)
        for key, value in self._layer.items():
            if isinstance(value, _Gone):
                merged.pop(key, None)
            else:
                merged[key] = value
        self._base, self._layer = merged, {}

    def __getitem__(self, key: Key) -> Value:
        value = self._layer.get(key)
        if value is None:
            return self._base[key]
        if isinstance(value, _Gone):
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        value = self._layer.get(key)  # type: ignore[arg-type]
        return key in self._base if value is None else not isinstance(value, _Gone)

    def __iter__(self) -> Iterator[Key]:
        for key in self._base:
            if key not in self._layer:
                yield key
        for key, value in self._layer.items():
            if not isinstance(value, _Gone):
                yield key

    def __len__(self) -> int:
        return self._length
