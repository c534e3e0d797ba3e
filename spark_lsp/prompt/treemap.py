"""Treemaps: a rectangle cut into tiles whose areas are given. Pure geometry.

Squarified (Bruls, Huizing, van Wijk, 2000): tiles are kept as near to squares as they go, the largest first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in whatever unit the caller has."""

    left: float
    top: float
    width: float
    height: float


def tiles(sizes: Sequence[float], box: Box) -> list[Box]:
    """Return a tile for each size (all over 0), in the given order; together they fill the box."""
    order = sorted(range(len(sizes)), key=lambda number: (-sizes[number], number))
    total = sum(sizes)
    scale = box.width * box.height / total if total else 0.0
    areas = [sizes[number] * scale for number in order]
    result = [box] * len(sizes)
    for number, tile in zip(order, _squarified(areas, box), strict=True):
        result[number] = tile
    return result


def _squarified(areas: Sequence[float], box: Box) -> Iterator[Box]:
    """Lay rows along the shorter side; a tile joins a row as long as that makes the row's worst tile no longer."""
    start = 0
    while start < len(areas):
        side = min(box.width, box.height)
        end = start + 1
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(areas[start:end], side):
            end += 1
        row = areas[start:end]
        yield from _row(row, box)
        box = _rest(sum(row), box)
        start = end


def _worst(row: Sequence[float], side: float) -> float:
    total = sum(row)
    if not side or not total:
        return float("inf")
    return max(max(side**2 * area / total**2, total**2 / (side**2 * max(area, 1e-9))) for area in row)


def _row(row: Sequence[float], box: Box) -> Iterator[Box]:
    total = sum(row)
    if box.width >= box.height:
        width, top = total / box.height if box.height else 0.0, box.top
        for area in row:
            height = area / width if width else 0.0
            yield Box(box.left, top, width, height)
            top += height
    else:
        height, left = total / box.width if box.width else 0.0, box.left
        for area in row:
            width = area / height if height else 0.0
            yield Box(left, box.top, width, height)
            left += width


def _rest(used: float, box: Box) -> Box:
    if box.width >= box.height:
        width = min(box.width, used / box.height if box.height else 0.0)
        return Box(box.left + width, box.top, box.width - width, box.height)
    height = min(box.height, used / box.width if box.width else 0.0)
    return Box(box.left, box.top + height, box.width, box.height - height)
