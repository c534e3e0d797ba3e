"""Check an edited text with mypy, under the workspace's strictness and without anything in it that runs or writes.

The tool reads a copy of the configuration with the options of ``_OPTIONS`` alone: plugins, a Python to run, reports and
caches stay out. The edited text replaces the file by ``--shadow-file``.
"""

import configparser
import io
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from spark_lsp.verdict.base import EditedFile, ToolProblem
from spark_lsp.verdict.processes import ToolFailure
from spark_lsp.verdict.tool import Findings, ToolRun, after_and_before, config_text, stopped_elsewhere

_OPTIONS: Final = frozenset((
    "allow_redefinition", "allow_redefinition_new", "allow_untyped_globals", "always_false", "always_true",
    "check_untyped_defs", "deprecated_calls_exclude", "disable_bytearray_promotion", "disable_error_code",
    "disable_memoryview_promotion", "disallow_any_decorated", "disallow_any_explicit", "disallow_any_expr",
    "disallow_any_generics", "disallow_any_unimported", "disallow_incomplete_defs", "disallow_subclassing_any",
    "disallow_untyped_calls", "disallow_untyped_decorators", "disallow_untyped_defs", "enable_error_code",
    "enable_incomplete_feature", "explicit_package_bases", "extra_checks", "follow_imports",
    "follow_imports_for_stubs", "follow_untyped_imports", "ignore_errors", "ignore_missing_imports",
    "implicit_optional", "implicit_reexport", "local_partial_types", "mypy_path", "namespace_packages",
    "no_implicit_optional", "no_implicit_reexport", "no_site_packages", "no_strict_optional", "platform",
    "python_version", "report_deprecated_as_note", "strict", "strict_bytes", "strict_concatenate", "strict_equality",
    "strict_equality_for_none", "strict_optional", "untyped_calls_exclude", "warn_no_return", "warn_redundant_casts",
    "warn_return_any", "warn_unreachable", "warn_unused_ignores",
))  # fmt: skip
"""What only decides which diagnostics there are (https://mypy.readthedocs.io/en/stable/config_file.html)."""
_MODULES: Final = re.compile(r"[\w.*,\- ]+")
_LINE: Final = re.compile(
    r"(?P<path>.+?):(?P<line>\d+)(?::\d+)?: error: (?P<message>.*?)(?:  \[(?P<code>[\w-]+)\])?", re.DOTALL
)
_FLAGS: Final = (
    "--no-error-summary", "--hide-error-context", "--show-absolute-path", "--show-error-codes", "--no-pretty",
    "--no-color-output", "--no-warn-unused-configs",
)  # fmt: skip


class Mypy:
    """mypy (https://mypy-lang.org)."""

    name = "mypy"
    program = "mypy"
    suffixes = frozenset({".py", ".pyi"})
    fix = "pipx install mypy"

    def is_configured(self, folder: Path) -> bool:
        """Whether a folder has a configuration that mypy would use."""
        return sections_of(folder) is not None

    def check(self, run: ToolRun, files: Sequence[EditedFile]) -> Findings | ToolFailure:
        """Run mypy over the files after the edits, and if it reports something over those before them."""
        config = run.scratch / "mypy.ini"
        config.write_text(safe_config(sections_of(run.folder) or {}, run.folder), "utf-8")

        def problems_of(texts: dict[Path, str]) -> tuple[ToolProblem, ...] | ToolFailure:
            command = [run.program, *_FLAGS, "--config-file", str(config), "--cache-dir", str(run.cache)]
            for number, (path, text) in enumerate(texts.items()):
                shadow = run.scratch / f"{number}{path.suffix}"
                shadow.write_bytes(text.encode("utf-8", "surrogatepass"))
                command += ["--shadow-file", str(path), str(shadow)]
            output = run.processes.run([*command, "--", *map(str, texts)], run.folder)
            if isinstance(output, ToolFailure):
                return output
            reported = problems(output.text)
            if output.status not in {0, 1} and not reported:
                line = next((line for line in output.text.splitlines() if line.strip()), "it printed nothing")
                return ToolFailure(is_timeout=False, message=f"mypy failed: {line[:200]}")
            if output.status not in {0, 1} and not any(problem.path in texts for problem in reported):
                return stopped_elsewhere("mypy", reported[0])
            return reported

        return after_and_before(problems_of, files)


def problems(text: str) -> tuple[ToolProblem, ...]:
    """Read mypy's lines; notes are left out."""
    matches = (_LINE.fullmatch(line) for line in text.splitlines())
    return tuple(
        ToolProblem(Path(match["path"]), int(match["line"]), match["code"] or "", match["message"])
        for match in matches
        if match is not None
    )


def sections_of(folder: Path) -> Mapping[str, Mapping[str, Any]] | None:
    """Return the sections of the configuration that mypy would use in a folder; None if it has none."""
    for name in ("mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"):
        text = config_text(folder / name)
        if text is None:
            continue
        sections = _toml_sections(text) if name == "pyproject.toml" else _ini_sections(text)
        if sections is not None:
            return sections
        if name.endswith("mypy.ini"):
            return {}
    return None


def safe_config(sections: Mapping[str, Mapping[str, Any]], folder: Path) -> str:
    """Return a configuration with the known options of the given one; paths stay relative to its folder."""
    written = configparser.RawConfigParser()
    written["mypy"] = {}
    for name, options in sections.items():
        if name != "mypy" and not (name.startswith("mypy-") and _MODULES.fullmatch(name)):
            continue
        kept = {key: _ini_value(value) for key, value in options.items() if key in _OPTIONS}
        if "mypy_path" in kept:
            kept["mypy_path"] = re.sub(r"\$\{?MYPY_CONFIG_FILE_DIR\}?", lambda _match: str(folder), kept["mypy_path"])
        written[name] = {**(written[name] if written.has_section(name) else {}), **kept}
    out = io.StringIO()
    written.write(out)
    return out.getvalue()


def _ini_sections(text: str) -> Mapping[str, Mapping[str, Any]] | None:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    sections = {name: dict(parser[name]) for name in parser.sections() if name == "mypy" or name.startswith("mypy-")}
    return sections if "mypy" in sections else None


def _toml_sections(text: str) -> Mapping[str, Mapping[str, Any]] | None:
    try:
        own = tomllib.loads(text).get("tool", {}).get("mypy")
    except (ValueError, RecursionError, AttributeError):
        return None
    if not isinstance(own, dict):
        return None
    sections: dict[str, Mapping[str, Any]] = {"mypy": own}
    overrides = own.get("overrides", [])
    for row in overrides if isinstance(overrides, list) else []:
        modules = row.get("module", []) if isinstance(row, dict) else []
        for module in [modules] if isinstance(modules, str) else modules:
            name = f"mypy-{module}"
            sections[name] = {**sections.get(name, {}), **row}
    return sections


def _ini_value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
