#!/usr/bin/env python3
"""Draw icon.png, 128 by 128: a spark on a dark rounded square. Run as ``python draw_icon.py`` after changing it."""

import struct
import zlib
from pathlib import Path

SIZE = 128
# Every pixel is the mean of SAMPLES squared points, which makes smooth edges.
SAMPLES = 4
RADIUS = 26
BACKGROUND = (23, 26, 38)
SPARK = (255, 196, 61)
BOLT = ((74, 14), (30, 72), (58, 72), (50, 114), (98, 52), (68, 52))

Point = tuple[float, float]


def in_square(x: float, y: float) -> bool:
    """Whether a point is in the rounded square that fills the picture."""
    dx = max(RADIUS - x, x - (SIZE - RADIUS), 0)
    dy = max(RADIUS - y, y - (SIZE - RADIUS), 0)
    return dx * dx + dy * dy <= RADIUS * RADIUS


def in_polygon(x: float, y: float, corners: tuple[Point, ...]) -> bool:
    """Whether a point is inside, by counting the edges to its right."""
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside


def pixel(column: int, row: int) -> bytes:
    """One pixel as red, green, blue, alpha."""
    steps = [(index + 0.5) / SAMPLES for index in range(SAMPLES)]
    points = [(column + dx, row + dy) for dy in steps for dx in steps]
    shown = [SPARK if in_polygon(x, y, BOLT) else BACKGROUND for x, y in points if in_square(x, y)]
    if not shown:
        return bytes(4)
    mean = (round(sum(channel) / len(shown)) for channel in zip(*shown, strict=True))
    return bytes((*mean, round(255 * len(shown) / len(points))))


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def main() -> None:
    """Write icon.png beside this file."""
    rows = (b"\0" + b"".join(pixel(column, row) for column in range(SIZE)) for row in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    image = zlib.compress(b"".join(rows), 9)
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", image), chunk(b"IEND", b"")]
    Path(__file__).with_name("icon.png").write_bytes(b"".join(parts))


if __name__ == "__main__":
    main()
