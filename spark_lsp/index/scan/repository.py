"""Find git's folder of a repository, and the user's ignore rules besides the repository's own files.

Reads git's files with a limit, and asks git itself for the user's settings: from a folder without a repository, so that
a repository's configuration is never used to start anything.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from spark_lsp.index.scan.gitignore import IS_CASE_INSENSITIVE
from spark_lsp.index.scan.plain_file import read_bytes, read_small_text

SMALL_BYTES: Final = 4_096  # what HEAD, a ref or the name of a git folder may hold
MAX_CONFIG_BYTES: Final = 200_000
LIMIT_S: Final = 3.0  # it takes a few milliseconds; a configuration on a dead network drive blocks forever

GIT_ENVIRONMENT: Final[Mapping[str, str]] = {
    "GIT_ALLOW_PROTOCOL": "none",  # what a partial clone lacks is never fetched; wins over protocol.*.allow
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
NO_WINDOW: Final[int] = getattr(subprocess, "CREATE_NO_WINDOW", 0)


@dataclass(frozen=True, slots=True)
class IgnoreSettings:
    """Which file of the user's holds more patterns, and whether letter case counts."""

    excludes_file: Path | None
    ignores_case: bool


def git_folder_of(folder: Path) -> Path | None:
    """Return the git folder of a working tree whose top this is, None for any other folder.

    That of a linked working tree or a submodule is named in a file.
    """
    place = folder / ".git"
    if not place.is_dir():
        named = read_small_text(str(place), SMALL_BYTES)
        if not named.startswith("gitdir:"):
            return None
        place = folder / named.removeprefix("gitdir:").strip()
    return place if (place / "HEAD").exists() else None


def common_folder(git_folder: Path) -> Path:
    """Return the git folder that all working trees of a repository share."""
    return git_folder / read_small_text(str(git_folder / "commondir"), SMALL_BYTES)


def git_program(root: Path) -> str | None:
    """Return git's path; None for one inside the workspace, or found by a relative path, which may lead there.

    Windows looks into the working folder before the PATH.
    """
    program = shutil.which("git")
    if program is None or not Path(program).is_absolute():
        return None
    places = (Path(program), Path(program).resolve())
    return None if any(place.is_relative_to(root) for place in places) else program


def git_environment() -> dict[str, str]:
    """Return the environment that git is run with."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("GIT_")}, **GIT_ENVIRONMENT}


def ignore_settings(root: Path, common: Path) -> IgnoreSettings:
    """Return the settings that hold in a repository: its own before the user's."""
    users = _user_settings(git_program(root) or "", _home_key())
    own = _own_settings(git_program(root) or "", str(common / "config"), _modified_ns(common / "config"))
    settings = {**users, **own}
    named = settings.get("core.excludesfile")
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    excludes = base / "git" / "ignore" if named is None else _expanded(named, root)
    ignores_case = settings.get("core.ignorecase")
    is_true = IS_CASE_INSENSITIVE if ignores_case is None else ignores_case.lower() in ("true", "yes", "on", "1", "")
    return IgnoreSettings(excludes, is_true)


def _expanded(named: str, root: Path) -> Path | None:
    if not named:
        return None
    try:
        return root / Path(named).expanduser()
    except RuntimeError:  # of a user who is not there
        return None


def _home_key() -> tuple[object, ...]:
    """Return what the user's settings depend on, so that they are read once."""
    home = os.environ.get("HOME", "")
    base = os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    return home, base, _modified_ns(Path(home, ".gitconfig")), _modified_ns(Path(base, "git", "config"))


def _modified_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except (OSError, ValueError):
        return 0


@lru_cache(maxsize=8)
def _user_settings(program: str, _key: tuple[object, ...]) -> Mapping[str, str]:
    return _ask(program)


@lru_cache(maxsize=64)
def _own_settings(program: str, path: str, modified_ns: int) -> Mapping[str, str]:
    """Read a repository's configuration file, nothing that it includes."""
    try:
        raw = read_bytes(path, MAX_CONFIG_BYTES) if modified_ns else None
    except (OSError, ValueError):
        return {}
    return _ask(program, "--file", "-", "--no-includes", source=raw) if raw and len(raw) <= MAX_CONFIG_BYTES else {}


def _ask(program: str, *where: str, source: bytes = b"") -> Mapping[str, str]:
    if not program:
        return {}
    command = [program, "config", *where, "-z", "--get-regexp", r"^core\.(excludesfile|ignorecase)$"]
    try:
        done = subprocess.run(  # noqa: S603 - git of the user's PATH, with nothing of the repository in the command
            command,
            input=source,
            cwd=Path(program).anchor,
            env=git_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=NO_WINDOW,
            timeout=LIMIT_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    rows = (row.partition(b"\n") for row in done.stdout.split(b"\0") if row)
    return {name.decode("utf-8", "replace"): os.fsdecode(value) for name, _, value in rows}
