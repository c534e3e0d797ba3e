"""The helper of this package's tests: a workspace on disk, an edit of one file, and what a tool says of it."""

import hashlib
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from spark_lsp.config import VerdictSettings
from spark_lsp.text.edit import Edit, Span
from spark_lsp.verdict.ask_tools import TOOLS, ToolVerdicts
from spark_lsp.verdict.base import EditedFile, Verdict

BESIDE_PYTHON = Path(sys.executable).parent


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def digest(root: Path) -> dict[str, str]:
    """Return what is in a folder: each path with the hash of its content."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(root.rglob("*"))
    }


def replacing(root: Path, name: str, old: str, new: str) -> EditedFile:
    """Return the edit that replaces a text of a file, which stands there once."""
    text = (root / name).read_text("utf-8")
    assert text.count(old) == 1
    start = text.index(old)
    return EditedFile(root / name, text, (Edit(Span(start, start + len(old)), new),))


def program_of(tool: str) -> str:
    """Return the path of an installed tool; skip the test without one."""
    program = shutil.which(TOOLS[tool].program, path=f"{BESIDE_PYTHON}") or shutil.which(TOOLS[tool].program)
    if program is None:
        pytest.skip(f"{tool} is not installed")
    return program


async def verdict_on(
    root: Path, cache: Path, tool: str, *files: EditedFile, program: str = "", limit_ms: int = 60_000
) -> Verdict:
    """Return one tool's verdict, and check that it leaves the workspace as it is."""
    settings = VerdictSettings(tools=(tool,), paths={tool: program or program_of(tool)}, time_limit_ms=limit_ms)  # type: ignore[arg-type]
    before = digest(root)
    [verdict] = await ToolVerdicts(root, settings, cache).of(files)
    assert digest(root) == before
    return verdict
