"""Define a tool that checks edited texts, and find its program on the user's PATH or where the settings say.

Never takes a program from the workspace, and never writes into it.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from spark_lsp.index.scan.plain_file import read_bytes
from spark_lsp.verdict.base import EditedFile, ToolProblem
from spark_lsp.verdict.processes import Processes, ToolFailure

MAX_CONFIG_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One check: ``folder`` is that of the tool's configuration, ``scratch`` an empty one outside of the workspace.

    ``cache`` is a folder that the tool may keep between checks of this workspace.
    """

    program: str
    folder: Path
    scratch: Path
    cache: Path
    processes: Processes


@dataclass(frozen=True, slots=True)
class Findings:
    """The diagnostics of the texts before and after an edit; ``before`` may be empty if ``after`` is."""

    before: tuple[ToolProblem, ...]
    after: tuple[ToolProblem, ...]


class Tool(Protocol):
    """A type checker or compiler."""

    @property
    def name(self) -> str:
        """Its name in the settings."""
        ...

    @property
    def program(self) -> str:
        """The name of its program."""
        ...

    @property
    def suffixes(self) -> frozenset[str]:
        """The suffixes of the files that it checks."""
        ...

    @property
    def fix(self) -> str:
        """How to install it."""
        ...

    def is_configured(self, folder: Path) -> bool:
        """Whether a folder has the tool's configuration."""
        ...

    def check(self, run: ToolRun, files: Sequence[EditedFile]) -> Findings | ToolFailure:
        """Check the texts before and after the edits; blocks."""
        ...


def configured_folder(tool: Tool, root: Path, path: Path) -> Path | None:
    """Return the nearest folder above a file, up to the root, that has the tool's configuration."""
    if not path.is_relative_to(root):
        return None
    folders = (folder for folder in path.parents if folder.is_relative_to(root))
    return next((folder for folder in folders if tool.is_configured(folder)), None)


def found_program(name: str, named: str, root: Path | None) -> str | None:
    """Return a tool's path: the one that the user has named, else that on the PATH.

    One on the PATH that is inside the workspace, or that a relative entry leads to, is not taken.
    """
    if named:
        path = Path(named).expanduser()
        return shutil.which(str(path)) if path.is_absolute() else None
    program = shutil.which(name)
    if program is None or not Path(program).is_absolute():
        return None
    places = (Path(program), Path(program).resolve())
    return None if root and any(place.is_relative_to(root) for place in places) else program


def after_and_before(
    problems_of: Callable[[dict[Path, str]], tuple[ToolProblem, ...] | ToolFailure], files: Sequence[EditedFile]
) -> Findings | ToolFailure:
    """Check the texts after the edits, and those before only if there is something to compare."""
    after = problems_of({file.path: file.edited_text for file in files})
    if isinstance(after, ToolFailure) or not after:
        return after if isinstance(after, ToolFailure) else Findings((), ())
    before = problems_of({file.path: file.text for file in files})
    return before if isinstance(before, ToolFailure) else Findings(before, after)


def config_text(path: Path) -> str | None:
    """Return the text of a configuration file; None if there is none that can be read."""
    try:
        raw = read_bytes(str(path), MAX_CONFIG_BYTES)
    except (OSError, ValueError):
        return None
    return raw.decode("utf-8", "replace") if raw is not None and len(raw) <= MAX_CONFIG_BYTES else None


def stopped_elsewhere(tool: str, problem: ToolProblem) -> ToolFailure:
    """Return the failure of a tool that stopped before the edited files: it reports the same before and after."""
    place = f"{problem.path.name}, line {problem.line}"
    return ToolFailure(is_timeout=False, message=f"{tool} stopped at an error in {place}: {problem.message}")
