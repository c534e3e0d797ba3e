"""What the pages name is there: files, commands with their options, make targets, settings, reason codes."""

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import typer

from spark_lsp.cli import COMMANDS, build
from spark_lsp.completion.gate import GATES, WITHHELD
from spark_lsp.config import CLIENT_SECTIONS, settings_keys
from spark_lsp.edits.gate import GATES as EDIT_GATES
from spark_lsp.errors import Reason
from tests.repo.source import ROOT, modules, report

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`([^`]+)`")
SETTING = re.compile(r"\bspark\.([a-z][A-Za-z]*(?:\.[a-z][A-Za-z]*)*)")
SENTENCE_END = re.compile(r"[a-z)`][.!?] +[A-Z`]")
TOP_FOLDERS = ("spark_lsp", "docs", "editors", "models", "samples", "scripts", "tests", ".ci")
MADE_LATER = ("editors/vscode/dist", "editors/vscode/node_modules")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page; ``fence`` is the language of the code block it stands in, None in prose."""

    page: Path
    number: int
    text: str
    fence: str | None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.number}"


@cache
def _lines() -> tuple[Line, ...]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("*.md")]
    pages += [ROOT / "samples" / "ledger" / "README.md"]
    return tuple(line for page in sorted(pages) for line in _read(page))


def _read(page: Path) -> Iterator[Line]:
    fence: str | None = None
    for number, text in enumerate(page.read_text("utf-8").splitlines(), 1):
        if text.lstrip().startswith("```"):
            fence = None if fence is not None else text.strip().removeprefix("```")
            continue
        yield Line(page, number, text, fence)


def test_links_lead_somewhere() -> None:
    report(
        [
            f"{line.place}: links to {target}, which is not there"
            for line in _lines()
            if line.fence is None
            for target in LINK.findall(line.text)
            if "://" not in target and not (line.page.parent / target).exists()
        ]
    )


def test_paths_are_there() -> None:
    report(
        [
            f"{line.place}: names {code}, which is not there"
            for line in _lines()
            if line.fence is None
            for code in CODE.findall(line.text)
            if _is_path(code) and not code.startswith(MADE_LATER) and not _exists(line.page, code)
        ]
    )


def _is_path(code: str) -> bool:
    path = code.rstrip("/")
    return bool(re.fullmatch(r"[\w.-]+(/[\w.-]+)+", path)) and path.split("/")[0] in TOP_FOLDERS


def _exists(page: Path, code: str) -> bool:
    return any((base / PurePosixPath(code)).exists() for base in (ROOT, page.parent))


def test_commands_are_there() -> None:
    faults = []
    for line in _lines():
        for command in _commands(line):
            fault = _command_fault(command)
            if fault:
                faults.append(f"{line.place}: {command!r}: {fault}")
    report(faults)


def _commands(line: Line) -> Iterator[str]:
    if line.fence in {"console", "sh"}:
        if line.text.startswith("$ "):
            yield from (part.strip() for part in line.text[2:].split("|") if "spark-lsp " in part)
    elif line.fence is None:
        yield from (code for code in CODE.findall(line.text) if re.match(r"(\S*/)?spark-lsp ", code))


def _command_fault(text: str) -> str:
    """Say what is wrong with a command line that a page shows; empty when nothing is."""
    words = shlex.split(re.sub(r"^.*?spark-lsp ", "", text, count=1))
    name = words.pop(0)
    if name.startswith("-"):
        return ""
    if name not in COMMANDS:
        return f"there is no command {name}"
    command: Any = typer.main.get_command(build([name]))
    command = getattr(command, "commands", {}).get(name, command)
    if getattr(command, "commands", None):
        if not words:
            return ""
        if words[0] not in command.commands:
            return f"{name} has no command {words[0]}"
        command = command.commands[words.pop(0)]
    options = (option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts))
    known = {*options, "--help", "-h"}
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
    return f"{name} has no option {unknown[0]}" if unknown else ""


def test_make_targets_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    report(
        [
            f"{line.place}: make {target} is no target"
            for line in _lines()
            for target in re.findall(r"(?:^\$ |`)(?:\w+=\S+ )*make ([a-z-]+)", line.text)
            if target not in targets
        ]
    )


def test_settings_are_there() -> None:
    commands_and_rooms = {key.split(".")[0] for key in settings_keys()}
    known = set(settings_keys()) | commands_and_rooms
    faults = []
    for line in _lines():
        for code in CODE.findall(line.text) if line.fence is None else ():
            for key in SETTING.findall(code):
                if key in known or key.split(".")[0] in CLIENT_SECTIONS or key == "fim_order":
                    continue
                if key.split(".")[0] in commands_and_rooms:
                    faults.append(f"{line.place}: spark.{key} is no setting")
    report(faults)


def test_the_reason_codes_are_the_closed_list() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    table = page.split("## Reason codes")[1].split("\n##")[0]
    listed = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    codes = [value for name, value in vars(Reason).items() if name.isupper()]
    assert sorted(listed) == sorted([*codes, Reason.gate("<name>"), Reason.trimmed("<rule>"), Reason.edit("<name>")])


def test_every_gate_and_rule_is_listed() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    gates = page.split("### Gates")[1].split("\n### ")[0]
    rules = page.split("### Rules")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([^`]+)` \|", gates, re.MULTILINE) == [
        *(gate.name for gate in GATES[:3]),
        WITHHELD,
        *(gate.name for gate in GATES[3:]),
    ]
    assert sorted(re.findall(r"^\| `([^`]+)` \|", rules, re.MULTILINE)) == sorted(_rules())


def test_every_silence_of_next_edits_is_listed() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    table = page.split("### Next edits\n")[1].split("\n### ")[0]
    listed = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    named = {
        str(node.args[0].value)
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"Silence", "Reason.edit"}
        and isinstance(node.args[0], ast.Constant)
    }
    assert sorted(listed) == sorted(named | {gate.name for gate in EDIT_GATES})


def _rules() -> set[str]:
    """Return every rule name: last argument of a cut or of a sanitized text, or argument of ``Reason.trimmed``."""
    return {
        str(node.args[-1].value)
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"_Cut", "Sanitized", "Reason.trimmed"}
        and isinstance(node.args[-1], ast.Constant)
        and node.args[-1].value
    }


def test_one_sentence_a_line() -> None:
    report(
        [
            f"{line.place}: two sentences on one line: …{match.group(0)}…"
            for line in _lines()
            if line.fence is None and not line.text.startswith("|") and line.page.parent != ROOT / "docs" / "pictures"
            if (match := SENTENCE_END.search(CODE.sub("`c`", line.text)))
        ]
    )
