"""Unpacks the source packages of ``projects.toml``: FOLDER/tune/NAME and FOLDER/report/NAME.

Uses pip, npm and apt-get as they are configured; knows no addresses and runs nothing of a package. What is there
already is not fetched again. usage: python -m tests.eval.fetch FOLDER
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from models.training.archive import members
from models.training.fetch import FetchError, fetch
from models.training.manifest import Package
from spark_lsp.text.language import language_of_path

MANIFEST = Path(__file__).with_name("projects.toml")


@dataclass(frozen=True, slots=True)
class Project:
    """A row of the manifest. ``within`` is the folder of the package that holds its sources, "" for all of it."""

    name: str
    version: str
    registry: str
    use: str
    within: str = ""

    @property
    def folder_name(self) -> str:
        """The project's name as a folder may have it: what a distribution put around it left out."""
        name = self.name.removeprefix("@").removeprefix("golang-github-").removeprefix("librust-").removesuffix("-dev")
        return name.replace("/", "-")


def load(path: Path = MANIFEST) -> list[Project]:
    """Read the manifest; a row with an unknown or missing field raises ``TypeError``."""
    return [Project(**row) for row in tomllib.loads(path.read_text("utf-8"))["project"]]


def sources(project: Project, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the package's code files, paths within it; its archive is kept in ``folder``.

    Raises:
        FetchError: the registry does not have it.
    """
    if project.registry == "debian":
        files = _debian_files(project, folder)
    else:
        package = Package(project.name, project.version, "MIT", registry="npm" if project.registry == "npm" else "pypi")
        files = members(fetch(package, folder))
    for path, content in files:
        inner = PurePosixPath(path)
        if language_of_path(inner) and inner.is_relative_to(project.within):
            yield path, content


def _debian_files(project: Project, folder: Path) -> Iterator[tuple[str, bytes]]:
    folder.mkdir(parents=True, exist_ok=True)
    archive = next(folder.glob(f"{project.name}_*.deb"), None)
    if archive is None:
        command = ["apt-get", "download", f"{project.name}={project.version}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        archive = next(folder.glob(f"{project.name}_*.deb"), None)
        if archive is None:
            raise FetchError(f"{project.name} {project.version}: {done.stderr.strip()[-400:]}")
    with tempfile.TemporaryDirectory() as unpacked:
        subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True)
        code = Path(unpacked) / "usr" / "share"
        roots = [code / "gocode" / "src", code / "cargo" / "registry"]
        root = next(candidate for candidate in roots if candidate.is_dir())
        while len(inside := [path for path in root.iterdir() if not path.name.startswith(".")]) == 1:
            root = inside[0]
        for path in sorted(inner for inner in root.rglob("*") if inner.is_file() and not inner.is_symlink()):
            yield path.relative_to(root).as_posix(), path.read_bytes()


def main() -> int:
    """Fetch everything; report each failure and go on, fail at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    failures = 0
    for project in load():
        target = folder / project.use / project.folder_name
        if target.is_dir():
            continue
        try:
            files = list(sources(project, folder / "archives"))
        except FetchError as error:
            failures += 1
            print(f"failed: {error}")  # noqa: T201 - a program of the command line
            continue
        for path, content in files:
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        print(f"{project.use} {target.name} {project.version}: {len(files)} files")  # noqa: T201 - see above
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
