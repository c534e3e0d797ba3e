"""Brings a model's file from the hub into the models folder: resumed, checked, and only then a model.

A file grows under ``.pulling/`` and moves to its place when size, checksum and magic are right, so half a file is
never a model. Endpoint, proxy, token and offline mode are huggingface_hub's own, from its environment variables.
The network is opened here alone, and only when the user asks for it.
"""

import contextlib
import errno
import hashlib
import io
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from spark_lsp.catalog.folder import models_folder
from spark_lsp.catalog.known import KnownModel, PublishedFile
from spark_lsp.errors import ModelMissing

Progress = Callable[[str, int, int], None]
"""Told what is done (``download`` or ``check``), the bytes that are done, and of how many."""

SPARE_BYTES: Final = 256 * 1024**2
"""What stays free on the disk after a pull; systems without any free space misbehave in odd ways."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MAGIC: Final = b"GGUF"
_CHECK_BYTES: Final = 8 * 1024**2
_LOCK_WAIT_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of a pull. ``sha256`` is empty where nobody published a checksum to compare with."""

    path: Path
    size_bytes: int
    sha256: str
    was_there: bool
    resumed_bytes: int = 0


def pull(model: KnownModel, progress: Progress, *, endpoint: str | None = None) -> Pulled:
    """Download a model, or find it here. Blocks; an interrupted pull goes on where it stopped.

    ``endpoint`` is the hub's address; None means the one that huggingface_hub's environment names.

    Raises:
        ModelMissing: it cannot be had; the message says why and what to do.
    """
    if model.path:
        return Pulled(model.path, model.size_bytes, model.file.sha256 if model.file else "", was_there=True)
    if model.file is None:
        raise ModelMissing(f"The model {model.name} is not on the hub.", fix="Reinstall spark-lsp; it is part of it.")
    folder = models_folder()
    with _told_plainly(model, folder):
        (folder / ".pulling").mkdir(parents=True, exist_ok=True)
        with _alone(folder / ".pulling" / f"{model.name}.lock", model.name):
            return _pull(model.name, model.file, folder, progress, endpoint)


def _pull(name: str, file: PublishedFile, folder: Path, progress: Progress, endpoint: str | None) -> Pulled:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415  brings an HTTP client along

    hub = file.sources[0]
    url = hf_hub_url(hub.repository, file.name, revision=hub.revision, endpoint=endpoint)
    told = get_hf_file_metadata(url, endpoint=endpoint, library_name="spark-lsp")
    if told.size is None or not told.etag:
        raise ModelMissing(f"The hub did not say how large {file.name} is.", fix="Try again later, or another mirror.")
    published = told.etag if _SHA256.fullmatch(told.etag) else ""
    if file.sha256 and published and published != file.sha256:
        raise ModelMissing(
            f"The hub's {file.name} is another file than the catalogue's: its checksum is {published[:12]}…, "
            f"{file.sha256[:12]}… was expected.",
            fix="Do not use it before you know why; a mirror may be out of date.",
        )
    wanted = file.sha256 or published
    part = _part(folder / ".pulling", name, told.etag)
    resumed = part.stat().st_size if part.exists() else 0
    if resumed > told.size:
        part.unlink()
        resumed = 0
    _need_room(folder, told.size - resumed, name)
    _fetch(url, part, resumed, told.size, file.name, progress)
    _check(part, told.size, wanted, file.name, progress)
    place = folder / file.name
    part.replace(place)
    return Pulled(place, told.size, wanted, was_there=False, resumed_bytes=resumed)


def _part(folder: Path, name: str, etag: str) -> Path:
    """Return the growing file of this very version; parts of other versions are of no use and go."""
    part = folder / f"{name}.{hashlib.sha256(etag.encode()).hexdigest()[:16]}.part"
    for other in folder.glob(f"{name}.*.part"):
        if other != part:
            other.unlink()
    return part


def _fetch(url: str, part: Path, resumed: int, size: int, shown: str, progress: Progress) -> None:
    from huggingface_hub.file_download import http_get  # noqa: PLC0415
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # noqa: PLC0415
        build_hf_headers,
        disable_progress_bars,
    )

    disable_progress_bars()  # the caller shows one
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it is told of each try that goes on
    headers = {**build_hf_headers(library_name="spark-lsp"), "Accept-Encoding": "identity"}
    with part.open("ab") as stream:
        http_get(
            url,
            cast("BinaryIO", _Counted(stream, lambda done: progress("download", done, size))),
            resume_size=resumed,
            headers=headers,
            expected_size=size,
            displayed_filename=shown,
        )


def _check(part: Path, size: int, sha256: str, shown: str, progress: Progress) -> None:
    """Refuse what is not the published file; such a part is deleted, for going on with it would never mend it."""
    found = part.stat().st_size
    if found != size:
        part.unlink()
        raise ModelMissing(f"{shown} came with {found:,} bytes, {size:,} were expected.", fix="Pull it again.")
    digest = hashlib.sha256()
    done = 0
    with part.open("rb") as stream:
        magic = stream.read(len(_MAGIC))
        stream.seek(0)
        while sha256 and (data := stream.read(_CHECK_BYTES)):
            digest.update(data)
            done += len(data)
            progress("check", done, size)
    if sha256 and digest.hexdigest() != sha256:
        part.unlink()
        raise ModelMissing(
            f"{shown} was damaged on its way: its checksum is {digest.hexdigest()[:12]}…, {sha256[:12]}… was expected.",
            fix="Pull it again; should it happen again, ask whoever runs your proxy or mirror.",
        )
    if magic != _MAGIC:
        part.unlink()
        raise ModelMissing(f"What came as {shown} is not a GGUF file.", fix="Check the mirror that HF_ENDPOINT names.")


def _need_room(folder: Path, wanted_bytes: int, name: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < wanted_bytes + SPARE_BYTES:
        raise ModelMissing(
            f"The disk is too full for {name}: it needs {(wanted_bytes + SPARE_BYTES) / 1e9:.1f} GB in {folder}, "
            f"{free / 1e9:.1f} GB are free.",
            fix="Free some space, or let SPARK_LSP_MODELS_DIR name a folder on another disk.",
        )


@contextlib.contextmanager
def _alone(lock: Path, name: str) -> Iterator[None]:
    """Let one pull of a model run at a time."""
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]  # noqa: PLC0415

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(WeakFileLock(lock, timeout=_LOCK_WAIT_S))
        except TimeoutError as error:
            raise ModelMissing(f"{name} is being pulled already.", fix="Wait for the other one to end.") from error
        yield


@contextlib.contextmanager
def _told_plainly(model: KnownModel, folder: Path) -> Iterator[None]:
    """Turn the errors of hub, network and disk into one sentence each."""
    import httpx2  # noqa: PLC0415
    from huggingface_hub import errors  # noqa: PLC0415

    by_hand = "Or download it elsewhere and name the file: `spark-lsp models add NAME PATH`."
    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise ModelMissing(
            f"{model.name} cannot be pulled: HF_HUB_OFFLINE is set.", fix=f"Unset it and try again. {by_hand}"
        ) from error
    except errors.GatedRepoError as error:
        fix = f"Accept it at huggingface.co and set HF_TOKEN to a token of yours. {by_hand}"
        raise ModelMissing(f"{model.name} is given only to those who accepted its licence.", fix=fix) from error
    except (errors.RepositoryNotFoundError, errors.RemoteEntryNotFoundError, errors.RevisionNotFoundError) as error:
        raise ModelMissing(f"The hub no longer has the file of {model.name}.", fix=by_hand) from error
    except errors.HfHubHTTPError as error:
        fix = f"Try again later; what came so far is kept. {by_hand}"
        raise ModelMissing(
            f"The hub refused {model.name} with status {error.response.status_code}.", fix=fix
        ) from error
    except httpx2.HTTPError as error:
        fix = f"Check the network; HTTPS_PROXY names a proxy, HF_ENDPOINT a mirror. What came so far is kept. {by_hand}"
        raise ModelMissing(f"The hub cannot be reached for {model.name} ({_name_of(error)}).", fix=fix) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            said = f"The disk is full; {folder} needs more room for {model.name}."
            raise ModelMissing(said, fix="Free some space and pull again; what came so far is kept.") from error
        raise ModelMissing(
            f"{model.name} cannot be pulled into {folder}: {error}.", fix="Pull it again; what came so far is kept."
        ) from error


def _name_of(error: Exception) -> str:
    """Return an error in words: ``ConnectTimeout`` is "connect timeout", which is more than the empty text it has."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()


class _Counted(io.RawIOBase):
    """A file that tells how far it has grown."""

    def __init__(self, stream: BinaryIO, told: Callable[[int], None]) -> None:
        self._stream = stream
        self._told = told

    def write(self, data: Any) -> int:
        """Append."""
        written = self._stream.write(data)
        self._told(self._stream.tell())
        return written

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return where the file has grown to."""
        return self._stream.tell()

    def truncate(self, size: int | None = None) -> int:
        """Cut."""
        return self._stream.truncate(size)


def remove(model: KnownModel) -> Path:
    """Delete a pulled model and what is left of unfinished pulls of it; return the file.

    Raises:
        ModelMissing: it was not pulled, or is part of the installation.
    """
    folder = models_folder()
    if model.file is None:
        raise ModelMissing(f"{model.name} is part of spark-lsp and stays.")
    place = folder / model.file.name
    parts = [*(folder / ".pulling").glob(f"{model.name}.*.part")]
    if not place.is_file() and not parts:
        raise ModelMissing(f"{model.name} is not on this machine.")
    for path in (place, *parts):
        path.unlink(missing_ok=True)
    return place
