"""Unpack the packages of ``packages.toml`` to FOLDER/USE/NAME: code files alone. Never runs anything of them."""

import io
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from models.training.archive import members
from models.training.fetch import FetchError, fetch
from models.training.manifest import Package as Archived
from spark_lsp.text.language import LANGUAGES, language_of_path

MANIFEST = Path(__file__).with_name("packages.toml")


@dataclass(frozen=True, slots=True)
class Package:
    """A row of the manifest; ``within`` is the folder with its sources, "" for all of it."""

    name: str
    version: str
    registry: Literal["pypi", "npm", "git"]
    language: str
    first: str
    """Month of the first release or commit."""
    use: Literal["tune", "report"]
    within: str = ""

    @property
    def folder_name(self) -> str:
        """The name as a folder name."""
        return self.name.removeprefix("@").replace("/", "-")


def load(path: Path = MANIFEST) -> list[Package]:
    """Read the manifest; a row with an unknown or missing field raises ``TypeError``."""
    return [Package(**row) for row in tomllib.loads(path.read_text("utf-8"))["package"]]


def unpack(package: Package, folder: Path) -> Path:
    """Return the folder of a package's sources, unpacked if necessary.

    Raises:
        FetchError: the registry does not have it, or nobody cloned it.
    """
    target = folder / package.use / package.folder_name
    if not target.is_dir():
        for path, content in _sources(package, folder / "archives"):
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    return target


def _sources(package: Package, archives: Path) -> Iterator[tuple[str, bytes]]:
    if package.registry == "git":
        commit = _committed(package, archives / f"{package.folder_name}.git")
    else:
        commit = members(fetch(Archived(package.name, package.version, "MIT", registry=package.registry), archives))
    for path, content in commit:
        inner = PurePosixPath(path)
        language = language_of_path(inner)
        if language and language.name == package.language and inner.is_relative_to(package.within):
            yield path, content


def _committed(package: Package, repository: Path) -> Iterator[tuple[str, bytes]]:
    if not repository.is_dir():
        raise FetchError(f"{package.name}: clone it to {repository} first: git clone --bare")
    folder = f"{package.within}/" if package.within else ""
    kinds = [f":(glob){folder}**/*{ending}" for ending in LANGUAGES[package.language].extensions]
    command = ["git", "--git-dir", str(repository), "archive", "--format=tar", package.version, *kinds]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise FetchError(f"{package.name} {package.version}: {done.stderr.decode(errors='replace').strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content.read()
