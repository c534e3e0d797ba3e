"""The helper of this package: a signature before, the workspace now, and the edits or the refusal."""

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from scripts.harness.fixture import parse_fixture
from spark_lsp.actions.base import BaselineText, Proposal, Target
from spark_lsp.engine.base import Engine
from spark_lsp.engine.testing import ScriptedEngine
from spark_lsp.index.store import Index
from spark_lsp.text.edit import Span, apply_edits
from tests.support.workspace import TestWorkspace, indexed, snapshot_of

ACTION = "update.references"
FILE_HEADER = "#- "
A_SECOND_NS = 10**9
_KNOWN = {"was", "opened", "now", "after", "refused", "later", "crlf"}
_HEAD = re.compile(r"^ *(?:async )?def ", re.MULTILINE)
_HEAD_END = re.compile(r"\)(?: -> [^\n]*)?:(?:\$0)?")
_CASE = re.compile(r"^=== (.+)\n", re.MULTILINE)
_SECTION = re.compile(r"^--- (\w+)\n", re.MULTILINE)


def read_cases(path: Path) -> dict[str, dict[str, str]]:
    """Read the cases: sections was (the signature) or opened (the document), now, and after or refused.

    ``later`` writes the other files since the change, ``crlf`` all lines with other ends.
    """
    pieces = _CASE.split(path.read_text("utf-8"))
    cases: dict[str, dict[str, str]] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        parts = _SECTION.split(body)
        case = dict(zip(parts[1::2], parts[2::2], strict=True))
        assert name not in cases, name
        assert ("after" in case) != ("refused" in case), f"{name}: either an edit or a refusal"
        assert ("was" in case) != ("opened" in case), name
        assert case.keys() <= _KNOWN, name
        cases[name] = case
    return cases


def opened_text(now: str, was: str) -> str:
    """Return the document with the old signature in place of the one with the cursor."""
    start = [match.start() for match in _HEAD.finditer(now, 0, now.index("$0"))][-1]
    end = _HEAD_END.search(now, start)
    assert end is not None, now
    return now[:start] + was.rstrip("\n") + now[end.end() :]


def target_in(text: str, opened: str, *, later: bool = False) -> Target:
    """Return the cursor in ``main.py`` with its baseline; ``later`` if all other files were written since."""
    target = Target.of(snapshot_of("main.py", text.replace("$0", "")), Span(text.index("$0"), text.index("$0")))
    return replace(target, baseline=BaselineText(opened, 0 if later else time.time_ns() + A_SECOND_NS))


async def updated(target: Target, engine: Engine, index: Index | None = None) -> tuple[Proposal, dict[str, str]]:
    """Choose the action; return the proposal and the changed files."""
    await engine.start()
    proposal = await TestWorkspace(engine, index=index).actions.propose(ACTION, target)
    files = {file.path: apply_edits(file.text or "", file.edits) for file in proposal.files}
    if proposal.edits:
        files["main.py"] = apply_edits(target.snapshot.text, proposal.edits)
    return proposal, files


async def run_case(case: Mapping[str, str], folder: Path) -> tuple[str, dict[str, str], dict[str, str]]:
    """Run a case: the message, the files after, and the expected ones."""
    own = case["now"].split(FILE_HEADER)[0]
    opened = case["opened"] if "opened" in case else opened_text(own, case["was"])
    wanted = dict(parse_fixture(case["after"]).files) if "after" in case else {}
    fixture = parse_fixture(case["now"])
    files = dict(fixture.files)
    if "crlf" in case:
        own, opened = own.replace("\n", "\r\n"), opened.replace("\n", "\r\n")
        files, wanted = (
            {path: text.replace("\n", "\r\n") for path, text in texts.items()} for texts in (files, wanted)
        )
    index = indexed(replace(fixture, files=files), folder)
    try:
        target = target_in(own, opened, later="later" in case)
        proposal, after = await updated(target, ScriptedEngine(["x"]), index)
    finally:
        index.close()
    assert proposal.asks == bool(after), "a change of calls is confirmed"
    return proposal.message, after, wanted
