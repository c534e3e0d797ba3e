"""Make every edit at every place of small programs, one for each part of the grammar, judged by node and TypeScript."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from spark_lsp.actions.javascript import extract_function, extract_variable, inline, rename
from spark_lsp.actions.javascript.annotate import missing_annotations
from spark_lsp.actions.javascript.piece import piece_at
from spark_lsp.actions.javascript.scopes import names_of
from spark_lsp.actions.refusal import Refusal
from spark_lsp.text.edit import Edit, Span, apply_edits
from spark_lsp.text.language import LANGUAGES
from spark_lsp.text.syntax import Syntax, parse
from tests.actions.javascript.execute import HERE, expression_selections, nodes_of, statement_selections

ROOT = Path(__file__).parents[3]
OWN = ROOT / "editors" / "vscode" / "node_modules" / "typescript"
_TSC = shutil.which("tsc")
TYPESCRIPT = OWN if OWN.exists() or _TSC is None else Path(_TSC).resolve().parents[1]
_TRIVIAL = {"identifier", "this", "undefined", "null"}
_LANGUAGES = {".ts": "typescript", ".tsx": "tsx"}

Files = Mapping[str, str]
Verdict = tuple[list[str], list[str]]


@dataclass(frozen=True)
class Program:
    """A program of one or several files; the first one runs."""

    name: str
    files: Files

    @property
    def is_typed(self) -> bool:
        """Whether TypeScript is needed to run it."""
        return any(Path(name).suffix in {".ts", ".tsx", ".jsx"} for name in self.files)


def programs() -> list[Program]:
    """The programs of all files beside this one."""
    listed = []
    for path in sorted((HERE / "attack").glob("*.txt")):
        parts = re.split(r"^=== (.+)\n", path.read_text("utf-8"), flags=re.MULTILINE)
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            files = re.split(r"^--- (.+)\n", body, flags=re.MULTILINE)
            listed.append(Program(name, dict(zip(files[1::2], files[2::2], strict=True))))
    return listed


class Judge:
    """A node process that runs programs; a program that does not end prints HANG."""

    def __init__(self) -> None:
        node = shutil.which("node")
        assert node is not None
        self._process = subprocess.Popen(
            [node, "--experimental-vm-modules", "--no-warnings", str(HERE / "attack.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={"TYPESCRIPT": str(TYPESCRIPT) if TYPESCRIPT.exists() else ""},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def verdict(self, files: Files, entry: str) -> Verdict:
        """Return what a program prints, and its diagnostics."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"files": dict(files), "entry": entry}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["log"], answer["errors"]


def attacked(program: Program, judge: Judge) -> tuple[int, list[str]]:
    """Return how many edits of a program were tried, and those that change its behaviour."""
    entry = next(iter(program.files))
    before = judge.verdict(program.files, entry)
    assert before[0], program.name
    assert not before[1], before[1]
    assert not any(line.startswith("!!") for line in before[0]), before[0]
    tried, wrong = 0, []
    for path, text in program.files.items():
        syntax = parse(LANGUAGES[_LANGUAGES.get(Path(path).suffix, "javascript")], text)
        assert syntax is not None
        for edited in dict.fromkeys(apply_edits(text, edits) for edits in _edits(syntax)):
            after = parse(syntax.language, edited)
            if after is None or after.error_count > syntax.error_count:
                continue  # the last check of every action refuses it
            tried += 1
            if judge.verdict({**program.files, path: edited}, entry) != before:
                wrong.append(edited)
    return tried, wrong


def _edits(syntax: Syntax) -> Iterator[tuple[Edit, ...]]:
    for span in dict.fromkeys([*statement_selections(syntax), *expression_selections(syntax)]):
        piece = piece_at(syntax, span)
        if piece is None or (piece.is_expression and piece.nodes[0].type in _TRIVIAL):
            continue
        plan = extract_function.plan_of(piece)
        if not isinstance(plan, Refusal):
            yield extract_function.edits_of(plan, "extracted")
        naming = extract_variable.naming_of(piece) if piece.is_expression else None
        if isinstance(naming, extract_variable.Naming):
            yield extract_variable.edits_of(naming, "extracted")
    for use in names_of(syntax.tree.root_node).uses:
        if use.access == "declare":
            start = syntax.wrap(use.node).span.start
            inlining = inline.inlining_of(syntax, start)
            if not isinstance(inlining, Refusal):
                yield inline.edits_of(inlining)
            renaming = rename.renaming_of(syntax, start)
            if not isinstance(renaming, Refusal):
                yield rename.edits_of(renaming, rename.suited(renaming, "renamed"))
    yield from _annotations(syntax)


def _annotations(syntax: Syntax) -> Iterator[tuple[Edit, ...]]:
    """What ``annotate.types`` writes without a model."""
    for node in nodes_of(syntax.tree.root_node):
        if "function" in node.type or node.type == "method_definition":
            _, missing = missing_annotations(syntax, syntax.wrap(node).span.start)
            edits = tuple(
                Edit(Span(place.offset, place.offset), f": {place.certain}") for place in missing if place.certain
            )
            if edits:
                yield edits
