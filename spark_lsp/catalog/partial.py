"""The partial file of a model that is being pulled: its path, the free space for it, and its final checks.

It does not depend on the source: bytes that one source delivered are continued by another. Half a file is never a
model.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spark_lsp.errors import ModelMissing, ModelSourceFailed

DownloadProgress = Callable[[str, int, int], None]
"""Receives the step (``download …`` or ``check``), the bytes that are done, and of how many.

What it raises ends the pull; what has arrived is kept.
"""

SPARE_BYTES: Final = 256 * 1024**2
"""What stays free on the disk after a pull; systems without any free space fail in odd ways."""

WORK_FOLDER: Final = ".pulling"

_MAGIC: Final = b"GGUF"
_CHUNK_BYTES: Final = 8 * 1024**2
_LOCK_WAIT_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Arrived:
    """A delivered file before its check. ``sha256`` is empty if no checksum is published."""

    path: Path
    size_bytes: int
    sha256: str
    resumed_bytes: int


def partial_file(work: Path, name: str, version: str) -> Path:
    """Return the growing file of this very version; partial files of other versions are of no use and go."""
    partial = work / f"{name}.{hashlib.sha256(version.encode()).hexdigest()[:16]}.part"
    for leftover in work.glob(f"{name}.*.part"):
        if leftover != partial:
            leftover.unlink()
    return partial


def wheels_folder(work: Path, name: str) -> Path:
    """Return where the wheels of a model are downloaded to."""
    return work / f"{name}.wheels"


def leftovers(work: Path, name: str) -> tuple[Path, ...]:
    """Return the files and folders of unfinished pulls of a model."""
    folder = wheels_folder(work, name)
    return (*work.glob(f"{name}.*.part"), *((folder,) if folder.exists() else ()))


def delete(path: Path) -> None:
    """Delete a file or a folder, wherever it has got to."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def need_space(folder: Path, wanted_bytes: int, name: str) -> None:
    """Refuse a pull that would fill the disk.

    Raises:
        ModelMissing: there is too little free space.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < wanted_bytes + SPARE_BYTES:
        raise ModelMissing(
            f"The disk is too full for {name}: the pull needs {(wanted_bytes + SPARE_BYTES) / 1e9:.1f} GB in {folder}, "
            f"{free_bytes / 1e9:.1f} GB are free.",
            fix="Free some space, or let SPARK_LSP_MODELS_DIR name a folder on another disk.",
        )


def check(arrived: Arrived, title: str, progress: DownloadProgress) -> None:
    """Refuse what is not the published file, and delete it: continuing it would never make it right.

    Raises:
        ModelSourceFailed: size, checksum or format are wrong.
    """
    size_bytes = arrived.path.stat().st_size
    if size_bytes != arrived.size_bytes:
        arrived.path.unlink()
        raise ModelSourceFailed(
            f"{title} arrived with {size_bytes:,} bytes, {arrived.size_bytes:,} were expected.", fix="Pull it again."
        )
    with arrived.path.open("rb") as stream:
        magic = stream.read(len(_MAGIC))
    if arrived.sha256:
        digest = sha256_of(arrived.path, lambda done: progress("check", done, size_bytes))
        if digest != arrived.sha256:
            arrived.path.unlink()
            raise ModelSourceFailed(
                f"{title} was damaged on its way: its checksum is {digest[:12]}…, {arrived.sha256[:12]}… was expected.",
                fix="Pull it again; if it happens again, ask whoever runs your proxy or mirror.",
            )
    if magic != _MAGIC:
        arrived.path.unlink()
        raise ModelSourceFailed(f"What arrived as {title} is not a GGUF file.", fix="Check the mirror that you use.")


def sha256_of(path: Path, done: Callable[[int], None] = lambda _: None) -> str:
    """Return the checksum of a file; ``done`` receives the bytes that were read so far."""
    digest = hashlib.sha256()
    read_bytes = 0
    with path.open("rb") as stream:
        while data := stream.read(_CHUNK_BYTES):
            digest.update(data)
            read_bytes += len(data)
            done(read_bytes)
    return digest.hexdigest()


@contextlib.contextmanager
def locked(work: Path, name: str) -> Iterator[None]:
    """Let one pull of a model run at a time.

    Raises:
        ModelMissing: another one runs.
    """
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]  # noqa: PLC0415  brings an HTTP client

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(WeakFileLock(work / f"{name}.lock", timeout=_LOCK_WAIT_S))
        except TimeoutError as error:
            raise ModelMissing(f"{name} is being pulled already.", fix="Wait for the other pull to end.") from error
        yield
