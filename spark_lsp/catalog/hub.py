"""Downloads a model's file from the Hugging Face hub.

Endpoint, proxy, token and offline mode are huggingface_hub's own, from its environment variables.
"""

import contextlib
import io
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from spark_lsp.catalog.known import HubSource, PublishedFile
from spark_lsp.catalog.partial import Arrived, DownloadProgress, need_space, partial_file
from spark_lsp.errors import ModelSourceFailed

STEP: Final = "download from the hub"

CONNECT_S: Final = 5.0
"""How long the hub may take to answer while another source is left; else huggingface_hub's own limit holds."""

_PATIENT_RETRIES: Final = 5  # huggingface_hub's own; it counts again from there when bytes arrive
_CONNECT_VARIABLE: Final = "HF_HUB_ETAG_TIMEOUT"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def fetch_from_hub(
    name: str,
    file: PublishedFile,
    source: HubSource,
    work: Path,
    progress: DownloadProgress,
    *,
    is_last: bool = True,
    endpoint: str | None = None,
) -> Arrived:
    """Download a file, or continue it where it stopped. Blocks.

    With ``is_last`` the hub gets the patience that huggingface_hub has by default; else it must answer in seconds.

    Raises:
        ModelSourceFailed: the hub cannot deliver it.
        ModelMissing: the disk is too full.
    """
    with _as_source_failure(name):
        from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url  # noqa: PLC0415  brings an HTTP client

        url = hf_hub_url(source.repository, file.name, revision=source.revision, endpoint=endpoint)
        is_patient = is_last or _CONNECT_VARIABLE in os.environ
        timeout_s = constants.HF_HUB_ETAG_TIMEOUT if is_patient else CONNECT_S
        metadata = get_hf_file_metadata(url, endpoint=endpoint, timeout=timeout_s, library_name="spark-lsp")
        if metadata.size is None or not metadata.etag:
            raise ModelSourceFailed(
                f"The hub did not say how large {file.name} is.", fix="Try again later, or another mirror."
            )
        published = metadata.etag if _SHA256.fullmatch(metadata.etag) else ""
        if file.sha256 and published and published != file.sha256:
            raise ModelSourceFailed(
                f"The hub's {file.name} is another file than the catalogue's: its checksum is {published[:12]}…, "
                f"{file.sha256[:12]}… was expected.",
                fix="Do not use it before you know why; a mirror may be out of date.",
            )
        partial = partial_file(work, name, file.sha256 or metadata.etag)
        resumed = partial.stat().st_size if partial.exists() else 0
        if resumed > metadata.size:
            partial.unlink()
            resumed = 0
        need_space(work, metadata.size - resumed, name)
        _download(url, partial, resumed, metadata.size, file.name, progress, retries=_PATIENT_RETRIES if is_last else 0)
        return Arrived(partial, metadata.size, file.sha256 or published, resumed)


def _download(
    url: str, partial: Path, resumed: int, size_bytes: int, title: str, progress: DownloadProgress, *, retries: int
) -> None:
    from huggingface_hub.file_download import http_get  # noqa: PLC0415
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # noqa: PLC0415
        build_hf_headers,
        disable_progress_bars,
    )

    disable_progress_bars()  # the caller shows one
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it logs each retry
    headers = {**build_hf_headers(library_name="spark-lsp"), "Accept-Encoding": "identity"}
    with partial.open("ab") as stream:
        http_get(
            url,
            cast("BinaryIO", _Counted(stream, lambda done: progress(STEP, done, size_bytes))),
            resume_size=resumed,
            headers=headers,
            expected_size=size_bytes,
            displayed_filename=title,
            _nb_retries=retries,
        )


@contextlib.contextmanager
def _as_source_failure(name: str) -> Iterator[None]:
    """Turn the errors of hub and network into one sentence each."""
    import httpx2  # noqa: PLC0415
    from huggingface_hub import errors  # noqa: PLC0415

    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise ModelSourceFailed(
            "The hub is not asked, because HF_HUB_OFFLINE is set.", fix="Unset HF_HUB_OFFLINE and try again."
        ) from error
    except errors.GatedRepoError as error:
        fix = "Accept it at huggingface.co and set HF_TOKEN to your token."
        raise ModelSourceFailed(f"The hub gives {name} only to those who accepted its licence.", fix=fix) from error
    except (errors.RepositoryNotFoundError, errors.RemoteEntryNotFoundError, errors.RevisionNotFoundError) as error:
        raise ModelSourceFailed(f"The hub no longer has the file of {name}.") from error
    except errors.HfHubHTTPError as error:
        raise ModelSourceFailed(
            f"The hub refused {name} with status {error.response.status_code}.",
            fix="Try again later; what has arrived is kept.",
        ) from error
    except OSError as error:
        if error.errno is not None:  # the disk's
            raise
        raise ModelSourceFailed(
            f"The hub sent {name} with a wrong size.", fix="Pull it again; what has arrived is kept."
        ) from error
    except httpx2.HTTPError as error:
        fix = "Check the network; HTTPS_PROXY names a proxy, HF_ENDPOINT a mirror. What has arrived is kept."
        raise ModelSourceFailed(f"The hub cannot be reached for {name} ({_words(error)}).", fix=fix) from error


def _words(error: Exception) -> str:
    """Return an error in words: ``ConnectTimeout`` is "connect timeout", which is more than the empty text it has."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()


class _Counted(io.RawIOBase):
    """A file that reports how far it has grown."""

    def __init__(self, stream: BinaryIO, grown: Callable[[int], None]) -> None:
        self._stream = stream
        self._grown = grown

    def write(self, data: Any) -> int:
        """Append."""
        written = self._stream.write(data)
        self._grown(self._stream.tell())
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
