"""Check an edited text with pyright or basedpyright: their language server sees it as the text of an open document.

A server of the user's installation reads the workspace's configuration itself; it has no plugins.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spark_lsp.verdict.base import EditedFile, ToolProblem
from spark_lsp.verdict.language_server import LanguageServer, gone
from spark_lsp.verdict.processes import ToolFailure
from spark_lsp.verdict.tool import Findings, ToolRun, after_and_before, config_text

_ENVIRONMENT: Final = {
    "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",  # or the wrapper asks the registry for a newer version
}


@dataclass(frozen=True, slots=True)
class Pyright:
    """pyright (https://microsoft.github.io/pyright), or its fork basedpyright (https://docs.basedpyright.com)."""

    name: str
    sections: tuple[str, ...]
    """Tables of pyproject.toml that configure it, below ``tool``."""

    suffixes = frozenset({".py", ".pyi"})

    @property
    def program(self) -> str:
        """The language server, not the command that checks whole folders."""
        return f"{self.name}-langserver"

    @property
    def fix(self) -> str:
        """How to install it."""
        return f"pipx install {self.name}"

    def is_configured(self, folder: Path) -> bool:
        """Whether a folder has pyright's configuration."""
        if (folder / "pyrightconfig.json").is_file():
            return True
        text = config_text(folder / "pyproject.toml")
        try:
            tools = tomllib.loads(text or "").get("tool")
        except (ValueError, RecursionError):
            return False
        return isinstance(tools, dict) and any(isinstance(tools.get(section), dict) for section in self.sections)

    def check(self, run: ToolRun, files: Sequence[EditedFile]) -> Findings | ToolFailure:
        """Ask for the diagnostics after the edits, and if there are some for those before them."""
        process = run.processes.start([run.program, "--stdio"], run.folder, _ENVIRONMENT)
        if isinstance(process, ToolFailure):
            return process
        server = LanguageServer(process, run.folder)
        findings: Findings | ToolFailure = gone(self.name)
        if server.initialize():
            findings = after_and_before(lambda texts: _problems(server, texts, self.name), files)
        run.processes.end(process)
        return run.processes.too_late(run.program) if run.processes.is_stopped else findings


def _problems(server: LanguageServer, texts: dict[Path, str], name: str) -> tuple[ToolProblem, ...] | ToolFailure:
    problems = server.problems(texts)
    return gone(name) if problems is None else problems
