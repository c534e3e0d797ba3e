"""The configuration that worked on a GPU before: layers, cache and context by model, devices and settings.

Also which number of layers ended the process that tried it, because many driver errors do
(``docs/internals/engine-measurements.md``). A file that cannot be read or written counts as none.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

import msgspec
import platformdirs
import psutil

from spark_lsp.llama.loading.memory import CacheType

MAX_DEATHS: Final = 2
"""So many ends of the process with the same layers, one after the other, are no accident."""
MORE_ROOM: Final = 1.25
"""With this much more free memory than then, a known-good configuration is outgrown and all is planned again."""

_MAX_RECORDS: Final = 50


class KnownGood(msgspec.Struct, frozen=True):
    """A set-up that ran, and the GPU memory that was free before."""

    gpu_layers: int
    kv_type: CacheType
    prompt_tokens: int
    free_bytes: int


class _Trial(msgspec.Struct, frozen=True):
    """Layers that a process is trying; still there after its end, they ended it."""

    gpu_layers: int
    pid: int


class _Record(msgspec.Struct):
    point: KnownGood | None = None
    trial: _Trial | None = None
    deaths: dict[int, int] = msgspec.field(default_factory=dict)


def known_good_path() -> Path:
    """Return where known-good configuration are kept."""
    return Path(platformdirs.user_cache_dir("spark-lsp")) / "working-points.json"


class KnownGoodStore:
    """The file, read at every question: several engines share it, and the last one to write is right."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self, key: str, free_bytes: int) -> KnownGood | None:
        """Return what worked, unless there is much more room than then."""
        record = self._records().get(key)
        point = record.point if record is not None else None
        return point if point is not None and free_bytes <= point.free_bytes * MORE_ROOM else None

    def keep(self, key: str, point: KnownGood) -> None:
        """Remember what works."""
        record = self._settled(key)
        record.point, record.trial = point, None
        record.deaths.pop(point.gpu_layers, None)
        self._write(key, record)

    def trying(self, key: str, gpu_layers: int) -> None:
        """Record an attempt before it is made: a driver may end the process."""
        record = self._settled(key)
        record.trial = _Trial(gpu_layers, os.getpid())
        self._write(key, record)

    def survived(self, key: str) -> None:
        """Record that the attempt failed without ending the process."""
        record = self._settled(key)
        record.trial = None
        self._write(key, record)

    def deadly(self, key: str) -> frozenset[int]:
        """Return the numbers of layers that have ended too many processes."""
        deaths = self._settled(key).deaths
        return frozenset(layers for layers, count in deaths.items() if count >= MAX_DEATHS)

    def _settled(self, key: str) -> _Record:
        """Return a record in which a trial whose process is gone counts as a death."""
        record = self._records().get(key) or _Record()
        trial = record.trial
        if trial is not None and trial.pid != os.getpid() and not psutil.pid_exists(trial.pid):
            record.deaths[trial.gpu_layers] = record.deaths.get(trial.gpu_layers, 0) + 1
            record.trial = None
        return record

    def _records(self) -> dict[str, _Record]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, _Record])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return {}

    def _write(self, key: str, record: _Record) -> None:
        records = self._records()
        records.pop(key, None)  # most recently used last; the oldest are dropped
        records = dict([*records.items(), (key, record)][-_MAX_RECORDS:])
        fresh = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_bytes(msgspec.json.encode(records))
            fresh.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                fresh.unlink()
