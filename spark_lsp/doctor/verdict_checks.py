"""Check that the tools that check edits are installed, where the settings name any. Runs none of them."""

from pathlib import Path

from spark_lsp.config import VerdictSettings
from spark_lsp.doctor.check_result import Check
from spark_lsp.verdict.ask_tools import TOOLS
from spark_lsp.verdict.tool import configured_folder, found_program


def verdict_checks(settings: VerdictSettings, folder: Path | None = None) -> list[Check]:
    """Return one check for each tool; ``folder`` is the workspace, by default the current folder."""
    root = (folder or Path.cwd()).resolve()
    if not settings.tools:
        return [
            Check("edit checks", "ok", "no tool checks edits before they are offered; spark.verdict.tools names none")
        ]
    return [_check(name, settings.paths.get(name, ""), root) for name in dict.fromkeys(settings.tools)]


def _check(name: str, named: str, root: Path) -> Check:
    tool = TOOLS[name]
    program = found_program(tool.program, named, root)
    if program is not None:
        is_used = configured_folder(tool, root, root / "file") is not None
        where = "configured in this folder" if is_used else "not configured in this folder, so not asked here"
        return Check("edit checks", "ok", f"{name}: {program}; {where}")
    if named:
        message = f"spark.verdict.paths names {named} for {name}, which is not an absolute path of a program."
        return Check("edit checks", "warn", message, "# See docs/configuration.md.")
    message = f"spark.verdict.tools names {name}, but {tool.program} is not on your PATH outside of this folder."
    return Check("edit checks", "warn", f"{message} Edits that rest on an assumption are refused.", tool.fix)
