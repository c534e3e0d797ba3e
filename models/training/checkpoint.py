"""Checkpoints that survive being killed at any moment: pieces of a file with their hashes, put in place at once.

A name is a folder of pieces, each under 16 MB. The one before it stays until the new one is whole.
"""

import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import torch

PIECE_BYTES = 15_000_000
_CONTENTS = "pieces.txt"


class CheckpointError(Exception):
    """A checkpoint is not there, or what is there is damaged."""


def save(folder: Path, name: str, value: dict[str, Any]) -> None:
    """Write a checkpoint; a reader sees the old one or the new one, never a part."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    write_pieces(folder, name, buffer.getvalue())


def load(folder: Path, name: str) -> dict[str, Any]:
    """Read the newest whole checkpoint of a name.

    Raises:
        CheckpointError: there is none.
    """
    loaded: dict[str, Any] = torch.load(io.BytesIO(read_pieces(folder, name)), map_location="cpu", weights_only=True)
    return loaded


def exists(folder: Path, name: str) -> bool:
    """Whether there is a checkpoint of that name, whole or not."""
    return any((folder / place / _CONTENTS).is_file() for place in (name, f"{name}.old"))


def write_pieces(folder: Path, name: str, content: bytes) -> None:
    """Write bytes as pieces with a table of contents, and put them in place."""
    new, old, place = folder / f"{name}.new", folder / f"{name}.old", folder / name
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    rows = []
    for number, start in enumerate(range(0, max(1, len(content)), PIECE_BYTES)):
        piece = content[start : start + PIECE_BYTES]
        (new / f"piece-{number:02d}.bin").write_bytes(piece)
        rows.append([f"piece-{number:02d}.bin", hashlib.sha256(piece).hexdigest()])
    (new / _CONTENTS).write_text(json.dumps(rows), "utf-8")
    if place.exists():
        shutil.rmtree(old, ignore_errors=True)
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def read_pieces(folder: Path, name: str) -> bytes:
    """Return the bytes of a checkpoint, of the one before it where the newest is damaged.

    Raises:
        CheckpointError: neither is whole.
    """
    for place in (folder / name, folder / f"{name}.old"):
        content = _whole(place)
        if content is not None:
            return content
    raise CheckpointError(f"no whole checkpoint {name} in {folder}")


def _whole(place: Path) -> bytes | None:
    pieces = []
    try:
        for name, digest in json.loads((place / _CONTENTS).read_text("utf-8")):
            piece = (place / name).read_bytes()
            if hashlib.sha256(piece).hexdigest() != digest:
                return None
            pieces.append(piece)
    except (OSError, ValueError):
        return None
    return b"".join(pieces)
