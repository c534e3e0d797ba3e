"""Downloads the manifest's packages by exact name and version, checks their licences, keeps the licence texts.

Uses pip and npm as they are configured; knows no addresses. Nothing of a package is run. What is there already is not
fetched again. usage: python -m models.training.fetch
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from models.training.archive import declared_licence, licence_texts
from models.training.manifest import DATA, MANIFEST, Package, is_allowed, licence_ids, load

ARCHIVES = DATA / "archives"
LICENCES = DATA / "licences"

# Wheels are read, never installed: any platform's will do, and these are the most common.
_PLATFORMS = ("any", "manylinux2014_x86_64", "manylinux_2_27_x86_64", "manylinux_2_28_x86_64")


class FetchError(Exception):
    """A package could not be had, or may not be used; the message names it."""


def archive_of(package: Package, folder: Path = ARCHIVES) -> Path | None:
    """Return the package's archive in a folder, or None where it was not fetched."""
    suffix = ".tgz" if package.registry == "npm" else ".whl"
    stem = package.archive_stem
    paths = (path for path in folder.glob(f"*{suffix}") if _is_of(path.name.removesuffix(suffix), stem))
    return min(paths, default=None)


def _is_of(name: str, stem: str) -> bool:
    return name.lower() == stem.lower() or name.lower().startswith(f"{stem.lower()}-")


def fetch(package: Package, folder: Path = ARCHIVES) -> Path:
    """Download one package unless it is there.

    Raises:
        FetchError: the registry does not have it.
    """
    if archive := archive_of(package, folder):
        return archive
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(_command(package, folder), cwd=folder, capture_output=True, text=True, check=False)
    archive = archive_of(package, folder)
    if done.returncode or archive is None:
        raise FetchError(f"{package.name} {package.version}: {done.stderr.strip()[-400:]}")
    return archive


def _command(package: Package, folder: Path) -> list[str]:
    if package.registry == "npm":
        return ["npm", "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}"]
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    return [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
        *("--python-version", "3.12", "--implementation", "cp", *platforms, "--dest", str(folder)),
        f"{package.name}=={package.version}",
    ]


def check_licence(package: Package, archive: Path) -> None:
    """See that the package itself says what the manifest says.

    Raises:
        FetchError: it says something else, or something that is not allowed.
    """
    declared = declared_licence(archive)
    if declared and not is_allowed(declared):
        raise FetchError(f"{package.name} {package.version}: its licence {declared} is not on the allow list")
    if set(licence_ids(declared)) - set(licence_ids(package.licence)):
        raise FetchError(f"{package.name} {package.version}: declares {declared}, the manifest says {package.licence}")
    if not declared and not licence_texts(archive):
        raise FetchError(f"{package.name} {package.version}: neither declares a licence nor brings its text")


def keep_licence(package: Package, archive: Path, folder: Path = LICENCES) -> None:
    """Write the package's licence texts beside the data."""
    folder.mkdir(parents=True, exist_ok=True)
    head = f"{package.name} {package.version} ({package.registry}): {package.licence}\n\n"
    (folder / f"{package.registry}-{package.archive_stem}.txt").write_text(head + licence_texts(archive), "utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch everything; report each failure and go on, fail at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", type=Path, default=MANIFEST)
    options = parser.parse_args(arguments)
    failures = 0
    for package in load(options.manifest):
        try:
            archive = fetch(package)
            check_licence(package, archive)
        except FetchError as error:
            failures += 1
            print(f"failed: {error}")
            continue
        keep_licence(package, archive)
        print(f"{package.registry} {package.name} {package.version} {archive.stat().st_size / 1e6:.1f} MB")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
