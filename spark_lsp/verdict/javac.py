"""Check an edited text with javac: the edited files come first on the source path, the workspace's own follow.

Annotation processors are off. Libraries of a build tool are not known here, so what needs them is reported before and
after alike.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from spark_lsp.verdict.base import EditedFile, ToolProblem
from spark_lsp.verdict.processes import ToolFailure
from spark_lsp.verdict.tool import Findings, ToolRun, after_and_before

_FLAGS: Final = (
    "-J-Duser.language=en", "-proc:none", "-implicit:none", "-XDshould-stop.ifError=FLOW", "-Xmaxerrs", "1000",
    "-nowarn", "-encoding", "UTF-8",
)  # fmt: skip
"""Types are checked although a library is missing (should-stop)."""
_CONFIGURATIONS: Final = ("pom.xml", "build.gradle", "build.gradle.kts", "build.xml")
_PACKAGE: Final = re.compile(r"^\s*package\s+(?P<name>[\w.]+)\s*;", re.MULTILINE)
_LINE: Final = re.compile(r"(?P<path>.+\.java):(?P<line>\d+): error: (?P<message>.*)")
_DETAIL: Final = re.compile(r"\s+(?P<name>symbol|required|found|reason): +(?P<text>.*)")
"""What javac adds to a message, below the line of the source."""
_USAGE_STATUSES: Final = frozenset({2, 3, 4})
"""javac's exit statuses for a wrong command, a system error and a crash."""


class Javac:
    """The Java compiler of a JDK (https://openjdk.org)."""

    name = "javac"
    program = "javac"
    suffixes = frozenset({".java"})
    fix = "# Install a JDK: https://adoptium.net"

    def is_configured(self, folder: Path) -> bool:
        """Whether a folder has a build of Maven, Gradle or Ant; none of them is run."""
        return any((folder / name).is_file() for name in _CONFIGURATIONS)

    def check(self, run: ToolRun, files: Sequence[EditedFile]) -> Findings | ToolFailure:
        """Compile the files after the edits, and if that fails those before them."""
        roots = {file.path: _source_root(file) for file in files}
        classes = run.scratch / "classes"
        classes.mkdir()

        def problems_of(texts: dict[Path, str]) -> tuple[ToolProblem, ...] | ToolFailure:
            edited = run.scratch / "edited"
            originals: dict[str, Path] = {}
            for path, text in texts.items():
                file = edited / path.relative_to(roots[path])
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(text.encode("utf-8", "surrogatepass"))
                originals[str(file)] = path
            places = [str(edited), *map(str, sorted(set(roots.values())))]
            where = ["-d", str(classes), "-cp", str(classes), "-sourcepath", os.pathsep.join(places)]
            output = run.processes.run([run.program, *_FLAGS, *where, *originals], run.scratch)
            if isinstance(output, ToolFailure):
                return output
            problems = _problems(output.text, originals)
            if output.status in _USAGE_STATUSES or (output.status and not problems):
                lines = output.text.strip().splitlines() or ["it printed nothing"]
                return ToolFailure(is_timeout=False, message=f"javac failed: {lines[0][:200]}")
            return problems

        return after_and_before(problems_of, files)


def _source_root(file: EditedFile) -> Path:
    """Return the folder at which the packages start: above the file by as many folders as its package has names."""
    match = _PACKAGE.search(file.text)
    names = match["name"].split(".") if match else []
    folder = file.path.parent
    return folder.parents[len(names) - 1] if names and folder.parts[-len(names) :] == tuple(names) else folder


def _problems(text: str, originals: dict[str, Path]) -> tuple[ToolProblem, ...]:
    """Read javac's errors with their details; an edited file is named by what replaces it."""
    rows: list[tuple[Path, int, list[str]]] = []
    for line in text.splitlines():
        if match := _LINE.fullmatch(line):
            path = originals.get(match["path"], Path(match["path"]))
            rows.append((path, int(match["line"]), [match["message"]]))
        elif rows and (detail := _DETAIL.fullmatch(line)):
            rows[-1][2].append(f"{detail['name']} {detail['text']}")
    return tuple(ToolProblem(path, line, "", ", ".join(parts)) for path, line, parts in rows)
