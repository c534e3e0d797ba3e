"""KV files: blocks of cached prefixes with their KV cells, kept on disk between runs of the engine.

llama.cpp ends the process over a file that is cut short and compares neither weights nor RoPE, so it is given only what
``BlockStore.verified`` returned. A file is llama.cpp's own bytes and a footer whose checksum covers both: whatever was
torn or is not ours is found, a forgery by the same user is not. An error with the disk never raises, less is held then.
"""

import contextlib
import hashlib
import os
import re
import secrets
import stat
import struct
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

from spark_lsp.errors import ModelUnusable
from spark_lsp.llama.kv.cells import Tokens

NAME_BYTES: Final = 32
LEFTOVER_AGE_S: Final = 3600.0
"""A file that its writer did not touch for so long has no writer any more."""

_FORMAT: Final = 1  # raised when names, footers or fingerprints change their meaning
_KEPT: Final = re.compile(rf"[0-9a-f]{{{2 * NAME_BYTES}}}\.kv")
_UNFINISHED: Final = re.compile(rf"[0-9a-f]{{{2 * NAME_BYTES}}}\.[0-9a-f]{{16}}\.tmp")
_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_OTHERS_WRITE: Final = 0o022
_OTHERS: Final = 0o077

_MAGIC: Final = f"SPARKKV{_FORMAT}".encode()
_FACTS: Final = struct.Struct(f"<8s{NAME_BYTES}sIQ")  # magic, name, tokens, bytes of the state in front
_CHECKSUM: Final = struct.Struct("<I")
FOOTER_BYTES: Final = _FACTS.size + _CHECKSUM.size

_READ_BYTES: Final = 1024 * 1024
_MODEL_HEAD_BYTES: Final = 1024 * 1024
_MODEL_SAMPLES: Final = 16
_MODEL_SAMPLE_BYTES: Final = 64 * 1024
_MAX_PARENTS: Final = 16_384
_USE_STEP_NS: Final = 1_000_000  # coarse enough for every file system that keeps times finer than seconds
_COARSEST_CLOCK_NS: Final = 2_000_000_000  # FAT tells times in steps of two seconds
_NEVER: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the numbers in a KV file depend on; parameters as llama.cpp is given them, so its enumerations are ints."""

    model: bytes
    """The file's identity, see ``model_identity``."""
    layers: int
    key_type: int
    value_type: int
    flash_attention: int
    rope_scaling: int
    rope_freq_base: float
    rope_freq_scale: float
    yarn_original_tokens: int
    yarn_ext_factor: float
    yarn_attn_factor: float
    yarn_beta_fast: float
    yarn_beta_slow: float
    library: str
    """Version and commit of the native library: another build may lay the same state out otherwise."""


def fingerprint_of(setup: Setup) -> bytes:
    """Return 32 bytes that are equal for equal setups only."""
    return hashlib.blake2b(msgspec.msgpack.encode((_FORMAT, setup)), digest_size=32).digest()


def model_identity(path: Path) -> bytes:
    """Return 32 bytes from a model file's size, time, first MiB and samples of its weights.

    The samples are there because training again may leave size, header and, in an archive, even the time as they were.

    Raises:
        ModelUnusable: the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=32)
    try:
        with path.open("rb", buffering=0) as file:
            facts = os.fstat(file.fileno())
            digest.update(struct.pack("<Qq", facts.st_size, facts.st_mtime_ns))
            digest.update(file.read(_MODEL_HEAD_BYTES))
            for number in range(1, _MODEL_SAMPLES + 1):
                file.seek(max(0, facts.st_size - _MODEL_SAMPLE_BYTES) * number // _MODEL_SAMPLES)
                digest.update(file.read(_MODEL_SAMPLE_BYTES))
    except OSError as error:
        raise ModelUnusable(f"The model file {path} cannot be read: {error.strerror}.") from error
    return digest.digest()


class BlockStore:
    """The KV files of one fingerprint, in a folder that other engines use at the same time. Belongs to one thread.

    Whatever others can see is done by one rename or one removal, so no locks are needed.
    The quota counts the files of all fingerprints. The least recently used ones go first, and a block goes before those
    in front of it, without which it is of no use.
    """

    def __init__(self, folder: Path, fingerprint: bytes, quota_bytes: int) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._quota_bytes = quota_bytes
        self._known: frozenset[bytes] = frozenset()
        self._known_at_ns = _NEVER
        self._parents: dict[bytes, bytes] = {}
        self.note = _refusal(folder)
        """Why the folder cannot be used, as one sentence; empty while it can."""
        if not self.note:
            _remove_leftovers(folder)
            self._keep_quota(())

    def name(self, parent: bytes, tokens: Tokens) -> bytes:
        """Return the name of a block, the parent of the next one. ``parent`` is empty for the first block."""
        digest = hashlib.blake2b(parent, digest_size=NAME_BYTES)
        digest.update(tokens.astype("<i4", copy=False).tobytes())
        digest.update(self._fingerprint)
        name = digest.digest()
        self._parents.pop(name, None)
        self._parents[name] = parent
        if len(self._parents) > _MAX_PARENTS:
            del self._parents[next(iter(self._parents))]
        return name

    def has(self, name: bytes) -> bool:
        """Whether a block is there. Costs one ``stat``, and a listing after the folder changed; reads no file."""
        self._refresh()
        return name in self._known

    def writing(self, name: bytes) -> Path | None:
        """Return an empty private file for llama.cpp to write a block to, or None where nothing can be written.

        Give it to ``commit`` in any case, which removes what came to nothing.
        """
        self.note = _refusal(self._folder)  # the folder may be gone, or usable again, since
        if self.note:
            return None
        tmp = self._folder / f"{name.hex()}.{secrets.token_hex(8)}.tmp"
        try:
            os.close(os.open(tmp, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE_FILE))
        except OSError:
            return None
        return tmp

    def commit(self, name: bytes, tmp: Path, token_count: int, written_bytes: int) -> bool:
        """Seal what was written, make it visible and keep the quota. False leaves nothing behind.

        ``written_bytes`` is what ``llama_state_seq_save_file`` returned. A file of another length is refused: the
        library does not notice a disk that is full by the time it closes the file.
        """
        family = self._family(name)
        try:
            if not self._fits(family, written_bytes) or not _sealed(tmp, name, token_count, written_bytes):
                _remove(tmp)
                return False
            tmp.replace(self._path(name))
        except OSError:
            _remove(tmp)
            return False
        self._mark_used(family)
        self._keep_quota(family)
        return True

    def verified(self, name: bytes, token_count: int) -> Path | None:
        """Return a block's file, every byte checked, and note its use; None when it is not there or was not sound.

        A file that is not sound is removed.
        """
        if self.note:
            return None
        path = self._path(name)
        try:
            sound = _is_sound(path, name, token_count)
        except FileNotFoundError:
            return None
        except OSError:
            sound = False
        if not sound:
            _remove(path)
            return None
        self._mark_used(self._family(name))
        return path

    def purge(self) -> tuple[int, int]:
        """Remove the files of all fingerprints; return how many there were and their bytes."""
        return purge(self._folder)

    def _path(self, name: bytes) -> Path:
        return self._folder / f"{name.hex()}.kv"

    def _family(self, name: bytes) -> list[bytes]:
        """Return a block and those in front of it, the nearest first, as far as they were named."""
        family = []
        while name:
            family.append(name)
            name = self._parents.get(name, b"")
        return family

    def _refresh(self) -> None:
        try:
            changed_ns = self._folder.stat().st_mtime_ns
        except OSError:
            self._known, self._known_at_ns = frozenset(), _NEVER
            return
        if self.note or changed_ns == self._known_at_ns:
            return
        now_ns = time.time_ns()
        self._known = frozenset(bytes.fromhex(entry.name[: 2 * NAME_BYTES]) for entry in _entries(self._folder, _KEPT))
        # A second change within one tick of the clock leaves the same time, so a young time is not relied upon.
        self._known_at_ns = changed_ns if now_ns - changed_ns > _COARSEST_CLOCK_NS else _NEVER

    def _fits(self, family: Sequence[bytes], written_bytes: int) -> bool:
        """Whether a block has room beside those in front of it; one that would push them out serves nobody."""
        if self.note or written_bytes <= 0:
            return False
        needed = written_bytes + FOOTER_BYTES
        for name in family[1:]:
            with contextlib.suppress(OSError):
                needed += self._path(name).stat().st_size
        return needed <= self._quota_bytes

    def _mark_used(self, family: Sequence[bytes]) -> None:
        now_ns = time.time_ns()
        for number, name in enumerate(family):
            with contextlib.suppress(OSError):
                os.utime(self._path(name), ns=(now_ns, now_ns + number * _USE_STEP_NS))

    def _keep_quota(self, family: Sequence[bytes]) -> None:
        held = []
        for entry in _entries(self._folder, _KEPT):
            with contextlib.suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                held.append((facts.st_mtime_ns, facts.st_size, Path(entry.path)))
        excess_bytes = sum(size for _, size, _ in held) - self._quota_bytes
        needed = {self._path(name) for name in family}
        for _, size, path in sorted(held):
            if excess_bytes <= 0:
                return
            if path not in needed and _remove(path):
                excess_bytes -= size


def purge(folder: Path) -> tuple[int, int]:
    """Remove every KV file of a folder, unfinished ones too; return how many there were and their bytes."""
    files = size_bytes = 0
    for entry in (*_entries(folder, _KEPT), *_entries(folder, _UNFINISHED)):
        with contextlib.suppress(OSError):
            size = entry.stat(follow_symlinks=False).st_size
            Path(entry.path).unlink()
            files += 1
            size_bytes += size
    return files, size_bytes


def count_files(folder: Path) -> int:
    """Return how many KV files a folder holds, unfinished ones too."""
    return sum(1 for pattern in (_KEPT, _UNFINISHED) for _ in _entries(folder, pattern))


def _refusal(folder: Path) -> str:
    """Make a folder that is the user's alone; return why it cannot be used, or nothing."""
    so = "so the model's memory is not kept between runs"
    try:
        folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        if sys.platform != "win32":
            facts = folder.stat()
            if facts.st_uid != os.getuid():
                return f"The folder {folder} belongs to another user, {so}."
            if facts.st_mode & _OTHERS_WRITE:
                return f"The folder {folder} can be written by other users, {so}."
            if facts.st_mode & _OTHERS:
                folder.chmod(_PRIVATE_FOLDER)
    except OSError as error:
        return f"The folder {folder} cannot be used ({error.strerror}), {so}."
    return ""


def _entries(folder: Path, pattern: re.Pattern[str]) -> Iterator["os.DirEntry[str]"]:
    """Yield the plain files of a folder that have a name of ours; none when the folder cannot be listed."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                yield entry


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left."""
    for entry in tuple(_entries(folder, _UNFINISHED)):  # not every file system lists on well while files go
        with contextlib.suppress(OSError):
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > LEFTOVER_AGE_S:
                Path(entry.path).unlink()


def _remove(path: Path) -> bool:
    """Remove a file; whether it is gone."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        return True
    return False


def _sealed(tmp: Path, name: bytes, token_count: int, written_bytes: int) -> bool:
    """Put the footer behind a state and everything onto the disk; False for a state of another length.

    Raises:
        OSError: the file cannot be read or written.
    """
    with tmp.open("r+b", buffering=0) as file:
        if os.fstat(file.fileno()).st_size != written_bytes:
            return False
        facts = _FACTS.pack(_MAGIC, name, token_count, written_bytes)
        footer = facts + _CHECKSUM.pack(_checksum(file, written_bytes, facts))
        if file.write(footer) != len(footer):
            return False
        os.fsync(file.fileno())
    tmp.chmod(_PRIVATE_FILE)
    return True


def _is_sound(path: Path, name: bytes, token_count: int) -> bool:
    """Whether a file is what was committed under this name.

    Raises:
        OSError: the file cannot be read.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        return False
    with path.open("rb", buffering=0) as file:
        written_bytes = os.fstat(file.fileno()).st_size - FOOTER_BYTES
        if written_bytes <= 0:
            return False
        file.seek(written_bytes)
        footer = file.read(FOOTER_BYTES)
        facts = _FACTS.pack(_MAGIC, name, token_count, written_bytes)
        if footer[: len(facts)] != facts:
            return False
        file.seek(0)
        return footer[len(facts) :] == _CHECKSUM.pack(_checksum(file, written_bytes, facts))


def _checksum(file: FileIO, count: int, facts: bytes) -> int:
    """Return the CRC-32 of a file's next ``count`` bytes and of the facts about them.

    Measured on 200 MB in memory, one core of an EPYC with SHA instructions: CRC-32 95 ms, SHA-1 185, SHA-256 195,
    BLAKE2b 460; without those instructions the distance grows. It never misses a run of up to 32 changed bits, and
    of longer damage one in four thousand million, which the length and the name in front of it make rarer still.
    """
    buffer = bytearray(min(count, _READ_BYTES))
    view = memoryview(buffer)
    checksum = 0
    while count > 0:
        read = file.readinto(view[: min(count, _READ_BYTES)])
        if not read:
            break  # shorter than it was: the checksum will not match
        checksum = zlib.crc32(view[:read], checksum)
        count -= read
    return zlib.crc32(facts, checksum)
