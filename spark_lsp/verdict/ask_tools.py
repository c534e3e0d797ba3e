"""Ask the tools that the user allows for verdicts, in a thread, within the time of the settings.

Never asks a tool that the workspace does not configure. A cancelled request kills the tools before it goes on.
"""

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from spark_lsp.config import VerdictSettings
from spark_lsp.verdict.base import EditedFile, ToolProblem, Verdict, VerdictStatus
from spark_lsp.verdict.go import Go
from spark_lsp.verdict.javac import Javac
from spark_lsp.verdict.mypy import Mypy
from spark_lsp.verdict.new_problems import new_problems
from spark_lsp.verdict.processes import Processes, ToolFailure
from spark_lsp.verdict.pyright import Pyright
from spark_lsp.verdict.tool import Tool, ToolRun, configured_folder, found_program

_ALL: Final[tuple[Tool, ...]] = (
    Mypy(),
    Pyright("pyright", ("pyright",)),
    Pyright("basedpyright", ("basedpyright", "pyright")),
    Go(),
    Javac(),
)
TOOLS: Final[Mapping[str, Tool]] = {tool.name: tool for tool in _ALL}
MAX_QUOTED: Final = 3
_PRIVATE: Final = 0o700


class ToolVerdicts:
    """The tools of one workspace."""

    def __init__(self, root: Path, settings: VerdictSettings, cache: Path, tools: Mapping[str, Tool] = TOOLS) -> None:
        """``cache`` is a folder of the user's for what tools keep of this workspace."""
        self._root = root
        self._settings = settings
        self._cache = cache
        self._tools = [tools[name] for name in dict.fromkeys(settings.tools)]

    async def of(self, files: Sequence[EditedFile]) -> tuple[Verdict, ...]:
        """Return one verdict for each tool that is responsible for a file of the edit."""
        if not self._tools or not files:
            return ()
        processes = Processes(self._settings.time_limit_ms / 1000)
        work = asyncio.ensure_future(asyncio.to_thread(self._verdicts, files, processes))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            processes.stop()
            await asyncio.wait([work])
            raise

    def _verdicts(self, files: Sequence[EditedFile], processes: Processes) -> tuple[Verdict, ...]:
        verdicts = []
        with processes:
            for tool in self._tools:
                own = [file for file in files if file.path.suffix in tool.suffixes]
                folder = configured_folder(tool, self._root, own[0].path) if own else None
                if folder is not None:
                    verdicts.append(self._verdict(tool, folder, own, processes))
        return tuple(verdicts)

    def _verdict(self, tool: Tool, folder: Path, files: Sequence[EditedFile], processes: Processes) -> Verdict:
        begin = time.monotonic()
        program = found_program(tool.program, self._settings.paths.get(tool.name, ""), self._root)
        if program is None:
            return Verdict(tool.name, "absent", f"{tool.name} was not found; `spark-lsp doctor` says why.")
        with tempfile.TemporaryDirectory(prefix="spark-verdict-", ignore_cleanup_errors=True) as scratch:
            cache = self._cache / tool.name
            cache.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            findings = tool.check(ToolRun(program, folder, Path(scratch).resolve(), cache, processes), files)
        duration_ms = (time.monotonic() - begin) * 1000
        if isinstance(findings, ToolFailure):
            status: VerdictStatus = "timeout" if findings.is_timeout else "failed"
            return Verdict(tool.name, status, findings.message, duration_ms=duration_ms)
        added = new_problems(findings.before, findings.after, files)
        if not added:
            return Verdict(tool.name, "passed", duration_ms=duration_ms)
        return Verdict(tool.name, "rejected", _quoted(tool.name, added), added, duration_ms)


def _quoted(tool: str, added: Sequence[ToolProblem]) -> str:
    """Return the new diagnostics as one sentence."""
    quoted = "; ".join(_row(problem) for problem in added[:MAX_QUOTED])
    more = f"; and {len(added) - MAX_QUOTED} more" if len(added) > MAX_QUOTED else ""
    return f"{tool} reports: {quoted}{more}"


def _row(problem: ToolProblem) -> str:
    code = f" [{problem.code}]" if problem.code else ""
    return f"{problem.message}{code} (line {problem.line} of the edited {problem.path.name})"
