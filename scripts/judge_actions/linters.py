"""Run ruff and pyright on files in temporary folders."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spark_lsp.text.edit import Span
from spark_lsp.text.snapshot import LineTable

LINT_LIMIT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a linter."""

    path: str
    span: Span
    code: str
    message: str


def ruff_findings(root: Path, paths: Sequence[str], rules: str) -> list[Finding]:
    """Return ruff's findings in files of a folder, by its defaults and these rules alone."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--preview", "--exit-zero"]
    command += ["--output-format", "json", "--target-version", "py311", "--select", rules, *paths]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=LINT_LIMIT_S, check=False)
    findings = []
    for row in json.loads(done.stdout or "[]"):
        file = Path(row["filename"])
        text = file.read_text("utf-8")
        lines = LineTable.of(text)
        start, end = (lines.starts[at["row"] - 1] + at["column"] - 1 for at in (row["location"], row["end_location"]))
        path = file.resolve().relative_to(root.resolve()).as_posix()
        findings.append(
            Finding(path, Span(start, max(start, min(end, len(text)))), row["code"] or "syntax", row["message"])
        )
    return findings


def ruff_codes(text: str, rules: str) -> list[str]:
    """Return the codes of ruff's findings in a text."""
    with tempfile.TemporaryDirectory(prefix="judge-") as folder:
        (Path(folder) / "module.py").write_text(text, "utf-8")
        return [finding.code for finding in ruff_findings(Path(folder), ["module.py"], rules)]


def pyright_errors(program: Path, root: Path, path: str) -> list[str]:
    """Return the messages of pyright's errors in one file of a folder, without positions."""
    command = [str(program), "--outputjson", path]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=LINT_LIMIT_S, check=False, env={**os.environ}
    )
    diagnostics = json.loads(done.stdout or "{}").get("generalDiagnostics", [])
    return sorted(
        diagnostic["message"].split("\n")[0] for diagnostic in diagnostics if diagnostic["severity"] == "error"
    )
