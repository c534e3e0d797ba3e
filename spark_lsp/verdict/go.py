"""Check an edited text with the Go compiler, which sees it by ``-overlay``.

``go vet`` would report more, but it reads the file on the disk whatever the overlay says.
"""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from spark_lsp.verdict.base import EditedFile, ToolProblem
from spark_lsp.verdict.processes import ToolFailure
from spark_lsp.verdict.tool import Findings, ToolRun, after_and_before, stopped_elsewhere

_ENVIRONMENT: Final = {"CGO_ENABLED": "0", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOVCS": "*:off"}
"""No C compiler with flags of the repository, no download, no other toolchain."""
_FLAGS: Final = ("-buildvcs=false", "-gcflags=-e")  # no git is started; all errors, not the first ten
_LINE: Final = re.compile(r"(?P<path>[^\s#].*?\.go):(?P<line>\d+)(?::\d+)?: (?P<message>.*)")


class Go:
    """The Go compiler (https://go.dev)."""

    name = "go"
    program = "go"
    suffixes = frozenset({".go"})
    fix = "# Install Go: https://go.dev/doc/install"

    def is_configured(self, folder: Path) -> bool:
        """Whether a folder is a module."""
        return (folder / "go.mod").is_file()

    def check(self, run: ToolRun, files: Sequence[EditedFile]) -> Findings | ToolFailure:
        """Compile the packages of the files after the edits, and if that fails those before them."""
        packages = sorted({_package(file.path, run.folder) for file in files})
        folders = {file.path.parent for file in files}
        tests = any(file.path.name.endswith("_test.go") for file in files)

        def problems_of(texts: dict[Path, str]) -> tuple[ToolProblem, ...] | ToolFailure:
            overlay = run.scratch / "overlay.json"
            replaced = _written(texts, run.scratch)
            overlay.write_text(json.dumps({"Replace": replaced}), "utf-8")
            command = [run.program, "build", "-o", os.devnull, "-overlay", str(overlay), *_FLAGS]
            if tests:
                command[1:2] = ["test", "-c"]
            problems: list[ToolProblem] = []
            for package in packages:
                output = run.processes.run([*command, package], run.folder, _ENVIRONMENT)
                if isinstance(output, ToolFailure):
                    return output
                reported = _problems(output.text, run.folder, {file: Path(path) for path, file in replaced.items()})
                if output.status and not reported:
                    lines = output.text.strip().splitlines() or ["it printed nothing"]
                    return ToolFailure(is_timeout=False, message=f"go failed: {lines[0][:200]}")
                if output.status and not any(problem.path.parent in folders for problem in reported):
                    return stopped_elsewhere("go", reported[0])
                problems += reported
            return tuple(problems)

        return after_and_before(problems_of, files)


def _package(path: Path, folder: Path) -> str:
    """Return the package of a file as an argument, which a name that starts with a dash is not."""
    return f"./{path.parent.relative_to(folder).as_posix()}"


def _written(texts: dict[Path, str], scratch: Path) -> dict[str, str]:
    """Write the texts; return by which file each one is replaced."""
    replaced = {}
    for number, (path, text) in enumerate(texts.items()):
        file = scratch / f"{number}.go"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        replaced[str(path)] = str(file)
    return replaced


def _problems(text: str, folder: Path, originals: dict[str, Path]) -> list[ToolProblem]:
    """Read the compiler's lines: their paths start at the folder, and an edited file is named by what replaces it."""
    problems = []
    for match in map(_LINE.fullmatch, text.splitlines()):
        if match is not None:
            path = os.path.normpath(folder / match["path"])
            problems.append(ToolProblem(originals.get(path, Path(path)), int(match["line"]), "", match["message"]))
    return problems
