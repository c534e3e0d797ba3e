"""The manifest: which packages the model learns from, by exact version, and which it is measured on.

Reads ``manifest.toml`` and says what is wrong with it; never touches the network.
"""

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

HERE = Path(__file__).resolve().parent
MANIFEST = HERE / "manifest.toml"
DATA = HERE / "data"

Registry = Literal["pypi", "npm"]

# SPDX ids that ask for no more than keeping a notice.
ALLOWED_LICENCES = frozenset(
    {
        *("MIT", "MIT-0", "MIT-CMU", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC", "Apache-2.0", "PSF-2.0"),
        *("Python-2.0", "Unlicense", "CC0-1.0", "Zlib", "BlueOak-1.0.0", "ZPL-2.1"),
    }
)
_EXACT_VERSION = re.compile(r"\d+(\.\d+)*([a-z.+-][\w.+-]*)?")


class ManifestError(Exception):
    """The manifest cannot be used; the message names the package and what is wrong."""


@dataclass(frozen=True, slots=True)
class Package:
    """One source package. ``licence`` is an SPDX expression; a held-out package never reaches a training sample."""

    name: str
    version: str
    licence: str
    registry: Registry = "pypi"
    held_out: bool = False

    @property
    def archive_stem(self) -> str:
        """How the names of this package's archives begin."""
        if self.registry == "npm":
            return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}"
        return f"{re.sub(r'[-_.]+', '_', self.name).lower()}-{self.version}"


def load(path: Path = MANIFEST) -> tuple[Package, ...]:
    """Read the manifest.

    Raises:
        ManifestError: a row lacks a field, names no exact version, has a licence that is not allowed, or stands twice.
    """
    rows = tomllib.loads(path.read_text("utf-8")).get("package", [])
    packages = tuple(_package(row) for row in rows)
    doubled = [name for name, count in Counter(_identity(package) for package in packages).items() if count > 1]
    if doubled:
        raise ManifestError(f"{doubled[0][1]} stands in the manifest twice")
    return packages


def licence_ids(expression: str) -> tuple[str, ...]:
    """Return the licences that an SPDX expression names, in order."""
    words = re.findall(r"[\w.+-]+", expression)
    return tuple(word for word in words if word not in {"AND", "OR", "WITH"})


def is_allowed(expression: str) -> bool:
    """Whether one may use what stands under this expression: one side of an OR, every side of an AND."""
    sides = [side.strip(" ()") for side in re.split(r"\s+OR\s+", expression)]
    return any(_all_allowed(side) for side in sides)


def _all_allowed(side: str) -> bool:
    ids = licence_ids(side)
    return bool(ids) and all(licence in ALLOWED_LICENCES for licence in ids)


def _package(row: dict[str, object]) -> Package:
    name = str(row.get("name", "a package without a name"))
    unknown = row.keys() - {"name", "version", "licence", "registry", "held_out"}
    if unknown:
        raise ManifestError(f"{name}: unknown field {min(unknown)}")
    missing = {"name", "version", "licence"} - row.keys()
    if missing:
        raise ManifestError(f"{name}: no {min(missing)}")
    version, licence, registry = str(row["version"]), str(row["licence"]), row.get("registry", "pypi")
    if not _EXACT_VERSION.fullmatch(version):
        raise ManifestError(f"{name}: {version} is no exact version")
    if registry not in get_args(Registry):
        raise ManifestError(f"{name}: unknown registry {registry}")
    if not is_allowed(licence):
        raise ManifestError(f"{name}: the licence {licence} is not on the allow list")
    return Package(name, version, licence, "npm" if registry == "npm" else "pypi", held_out=row.get("held_out") is True)


def _identity(package: Package) -> tuple[str, str]:
    return package.registry, re.sub(r"[-_.]+", "-", package.name).lower()
