"""Run programs before and after each edit: the same output, or a refusal with the code listed beside the edit.

``«1:…:1»`` is a selection, ``«1»`` a cursor. ``--- edits`` lists one edit a line: the number of its place, the action,
what the model says, and the outcome: ``same`` or the code of a refusal. ``--- mypy`` has the types checked as well.
"""

import asyncio
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from spark_lsp.actions.base import BaselineText, Proposal, Target
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.index.store import Index
from spark_lsp.text.edit import Span, apply_edits
from tests.support.workspace import TestWorkspace, snapshot_of

FOLDER = Path(__file__).parent / "programs"
_PROGRAM = re.compile(r"^=== (.+)\n", re.MULTILINE)
_SECTION = re.compile(r"^--- (.+)\n", re.MULTILINE)
_MARK = re.compile(r"«(\d+):|:(\d+)»|«(\d+)»")


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of a program; ``answer`` is what the model answers."""

    place: str
    action: str
    answer: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Program:
    """A program's files without marks; ``changed`` are those with another signature; ``places`` by number."""

    files: dict[str, str]
    changed: dict[str, str]
    places: dict[str, tuple[str, Span]]
    edits: tuple[Edit, ...]
    is_typed: bool


def _unmarked(text: str) -> tuple[str, dict[str, Span]]:
    plain, spans, last = "", {}, 0
    for mark in _MARK.finditer(text):
        plain += text[last : mark.start()]
        last = mark.end()
        number = mark[1] or mark[2] or mark[3]
        start = spans[number].start if mark[2] else len(plain)
        spans[number] = Span(start, len(plain))
    return plain + text[last:], spans


def _program(body: str) -> Program:
    files: dict[str, str] = {}
    changed: dict[str, str] = {}
    places: dict[str, tuple[str, Span]] = {}
    edits: list[Edit] = []
    pieces = _SECTION.split(body)
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if name == "edits":
            for line in text.split("\n"):
                place, action, *answer, outcome = line.split() if line else ["", "", ""]
                edits += [Edit(place, action, " ".join(answer), outcome)] if place else []
        elif name != "mypy":
            plain, spans = _unmarked(text)
            path = name.removeprefix("new ")
            (changed if name.startswith("new ") else files)[path] = plain
            places |= {number: (path, span) for number, span in spans.items()}
    return Program(files, changed, places, tuple(edits), "mypy" in pieces)


def _programs() -> dict[str, tuple[Program, Edit]]:
    all_edits: dict[str, tuple[Program, Edit]] = {}
    for path in sorted(FOLDER.glob("*.txt")):
        pieces = _PROGRAM.split(path.read_text("utf-8"))
        for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
            program = _program(body)
            for edit in program.edits:
                all_edits[f"{name}: {edit.place} {edit.action} {edit.answer}".strip()] = program, edit
    return all_edits


PROGRAMS = _programs()


def _written(files: dict[str, str], folder: Path) -> None:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")


def _output(files: dict[str, str], folder: Path, *, is_typed: bool) -> tuple[int, str, str]:
    """Run a program, and mypy where its types count."""
    _written(files, folder)
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    run = subprocess.run([sys.executable, "main.py"], cwd=folder, env=env, capture_output=True, text=True, check=False)
    problems = ""
    if is_typed:
        options = ["--check-untyped-defs", "--no-error-summary", "--cache-dir", os.devnull, "--no-incremental"]
        checked = [sys.executable, "-m", "mypy", *options, "main.py"]
        problems = subprocess.run(checked, cwd=folder, capture_output=True, text=True, check=False).stdout
    return run.returncode, run.stdout, problems


async def _proposal(program: Program, edit: Edit, folder: Path) -> tuple[Proposal, dict[str, str]]:
    """Choose the action in a workspace that holds the program; also return the files after it."""
    _written(program.files, folder)
    path, span = program.places[edit.place]
    text = program.changed.get(path, program.files[path])
    index = Index(folder)
    try:
        index.refresh()
        engine = ScriptedEngine([edit.answer or "value"])
        workspace = TestWorkspace(engine, index=index)
        target = Target.of(snapshot_of(path, text), span)
        if path in program.changed:
            target = replace(target, baseline=BaselineText(program.files[path], time.time_ns() + 10**9))
        await engine.start()
        proposal = await workspace.actions.propose(edit.action, target)
    finally:
        index.close()
    files = program.files | program.changed
    files |= {file.path: apply_edits(file.text or "", file.edits) for file in proposal.files}
    return proposal, files | {path: apply_edits(text, proposal.edits)}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_does_the_same_after_an_edit(name: str, tmp_path: Path) -> None:
    program, edit = PROGRAMS[name]
    proposal, files = asyncio.run(_proposal(program, edit, tmp_path / "workspace"))
    if edit.outcome != "same":
        refusal = proposal.refusal or str(proposal.reason)
        assert (refusal, proposal.edits) == (edit.outcome, ()), proposal.message
        return
    assert proposal.edits or proposal.files, (proposal.refusal, proposal.message)
    before = _output(program.files, tmp_path / "before", is_typed=program.is_typed)
    assert before[0] == 0, before
    assert _output(files, tmp_path / "after", is_typed=program.is_typed) == before
