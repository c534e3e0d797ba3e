"""The list of optimized files: which file replaces which pulled model on this machine, and its measurements.

Reads and writes one list in the models folder. An original stays where it is; a record whose original has changed, or
whose file is gone, counts for nothing.
"""

from pathlib import Path
from typing import Final

import msgspec

from spark_lsp.catalog.folder import models_folder, write_list

_LIST: Final = "optimized.json"


class Optimized(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of an original on this machine. Rates are tokens per second, before and after.

    ``file`` and ``type`` are empty where no other type paid and the original serves.
    """

    original: str
    """File name in the models folder, or the whole path of a file elsewhere."""
    original_bytes: int
    original_sha256: str
    """The published checksum of the original; empty where none is known."""
    file: str
    """File name in the models folder."""
    type: str
    prefill_tokens_per_s: tuple[float, float]
    decode_tokens_per_s: tuple[float, float]
    loss: float
    """By how much the nats a token rose on the check text, as a share of the original's."""


def optimized_file(original: Path) -> Path | None:
    """Return the file that stands in for an original, or None."""
    record = record_of(original)
    return models_folder() / record.file if record else None


def record_of(original: Path) -> Optimized | None:
    """Return the record of the file that replaces an original; None if there is no valid one."""
    record = _read().get(_key(original))
    if record is None:
        return None
    is_there = bool(record.file) and (models_folder() / record.file).is_file()
    return record if is_there and _is_of(record, original) else None


def optimize_hint(name: str, original: Path | None, card: str) -> str:
    """Return the command that measures faster weight types for a model; empty where it was run or cannot help.

    ``card`` names the graphics card that computes. A card has fast kernels for the published types.
    """
    if original is None or card:
        return ""
    record = _read().get(_key(original))
    was_measured = record is not None and _is_of(record, original) and (not record.file or record_of(original))
    return "" if was_measured else f"spark-lsp models optimize {name}"


def target_for(original: Path) -> Path:
    """Return where the file for an original is to be."""
    return models_folder() / f"{original.stem}.optimized.gguf"


def remember(original: Path, record: Optimized) -> None:
    """Let a file stand in for an original from now on.

    Raises:
        SettingsError: the list cannot be written.
    """
    write_list(_LIST, {**_read(), _key(original): record})


def forget(original: Path) -> Path | None:
    """Delete the file that stands in for an original and its record; return the file, None where there was none.

    Raises:
        SettingsError: the list cannot be written.
    """
    records = _read()
    record = records.pop(_key(original), None)
    if record is None:
        return None
    write_list(_LIST, records)
    if not record.file:
        return None
    path = models_folder() / record.file
    path.unlink(missing_ok=True)
    return path


def _is_of(record: Optimized, original: Path) -> bool:
    """Whether a record is of the original as it is now."""
    try:
        return original.stat().st_size == record.original_bytes
    except OSError:
        return False


def _key(original: Path) -> str:
    return original.name if original.parent == models_folder() else str(original)


def _read() -> dict[str, Optimized]:
    """Return the list; one that cannot be read is as good as none, because every file in it can be made again."""
    try:
        return msgspec.json.decode((models_folder() / _LIST).read_bytes(), type=dict[str, Optimized])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
